"""Where our own calls may go. A Chatwoot's address is a tenant's word: it must not lead into the operator's network.

What is judged is the address that the name leads to, and the connection then goes to that very address: a name that
leads elsewhere a moment later leads nowhere.
"""

import asyncio
import ipaddress
import socket
from contextlib import suppress
from urllib.parse import urlsplit

import httpx

from services.kernel.errors import Refusal

_RESOLVE_SECONDS = 5.0
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443}
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


async def check_target(base_url: str, *, private: bool) -> None:
    """Raises Refusal where no call may go: no such host, or, unless `private`, an address of a private network."""
    parts = urlsplit(base_url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.username or parts.path.strip("/"):
        raise Refusal(f"{base_url} is no address of a Chatwoot: it looks like https://chatwoot.example")
    try:
        await resolved(parts.hostname, parts.port or _PORTS[parts.scheme], private=private)
    except (OSError, TimeoutError, ValueError) as error:
        raise Refusal(f"{base_url} is not called: {error or 'its name is not resolved in time'}") from error


async def resolved(host: str, port: int, *, private: bool) -> str:
    """The address to connect to. Raises OSError, TimeoutError, PermissionError for one that may not be called."""
    addresses = await _addresses(host, port)
    if not private and any(not is_public(one) for one in addresses):
        raise PermissionError(f"{host} is in a private network (allow it with WOOTSTREAM_CHATWOOT_PRIVATE_ADDRESSES=1)")
    return str(addresses[0])


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
    return address.is_global and not address.is_multicast


class CheckedTransport(httpx.AsyncHTTPTransport):
    """Connects to the address that was judged; certificates are still held against the name."""

    def __init__(self, *, private: bool) -> None:
        super().__init__(limits=httpx.Limits(max_connections=None, max_keepalive_connections=100))
        self._private = private

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        try:
            address = await resolved(host, request.url.port or _PORTS[request.url.scheme], private=self._private)
        except (OSError, TimeoutError) as error:
            raise httpx.ConnectError(str(error), request=request) from error
        there = httpx.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,  # the Host among them
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": host},
        )
        return await super().handle_async_request(there)
