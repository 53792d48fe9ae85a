"""Where our own calls may go. A Chatwoot's address is a tenant's word: it must not lead into the operator's network.

What is judged is the address that the name leads to, and the connection then goes to that very address: a name that
leads elsewhere a moment later leads nowhere.
"""

import asyncio
import ipaddress
import socket
from contextlib import suppress
from urllib.parse import urlsplit

from services.kernel.errors import Refusal

_RESOLVE_SECONDS = 5.0
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# All that is given out to the internet, but for examples. Python takes for global whatever it knows no other use for:
# site-local addresses, segments of a provider's own routes, IPv4 in clothes that nobody wears any more.
_INTERNET6, _EXAMPLES6 = ipaddress.ip_network("2000::/3"), ipaddress.ip_network("3fff::/20")
_PORTS = {"http": 80, "https": 443}
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


async def check_target(base_url: str, *, private: bool) -> None:
    """Raises Refusal where no call may go: no such host, or, unless `private`, an address of a private network."""
    try:
        parts = urlsplit(base_url)
    except ValueError as error:
        raise Refusal(f"{base_url} is not called: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname or parts.username or parts.path.strip("/"):
        raise Refusal(f"{base_url} is no address of a Chatwoot: it looks like https://chatwoot.example")
    try:
        await resolved(parts.hostname, parts.port or _PORTS[parts.scheme], private=private)
    except (OSError, TimeoutError, ValueError) as error:
        raise Refusal(f"{base_url} is not called: {error or 'its name is not resolved in time'}") from error


async def resolved(host: str, port: int, *, private: bool) -> list[str]:
    """The addresses to connect to. Raises OSError, TimeoutError, and NotCalled where one of them may not be called."""
    addresses = await _addresses(host, port)
    if not private and any(not is_public(one) for one in addresses):
        raise NotCalled(f"{host} is in a private network (allow it with WOOTSTREAM_CHATWOOT_PRIVATE_ADDRESSES=1)")
    return [str(one) for one in addresses]


class NotCalled(PermissionError):
    """The name leads where no call may go."""


async def _addresses(host: str, port: int) -> list[Address]:
    with suppress(ValueError):
        return [ipaddress.ip_address(host.strip("[]"))]
    async with asyncio.timeout(_RESOLVE_SECONDS):
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]


def is_public(address: Address) -> bool:
    """Whether the whole internet could reach it; an IPv4 address in IPv6's clothes counts as what it is."""
    if isinstance(address, ipaddress.IPv6Address):
        within = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            within = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if within is not None:
            return is_public(within)
        if address not in _INTERNET6 or address in _EXAMPLES6:
            return False
    return address.is_global and not address.is_multicast
