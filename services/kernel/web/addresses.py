"""Whence a request came: the one place that reads an address, also as proxies of ours write it."""

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple

from starlette.types import Scope

_REMEMBERED = 4_096
_KEPT_BITS = {4: 24, 6: 48}
# Whoever has one IPv6 address has all of its 64 bits.
_SENDER_BITS = {4: 32, 6: 64}
# 192.0.2.1, 192.0.2.1:80, [2001:db8::1], [2001:db8::1]:443, 2001:db8::1, IPv6 also with a zone like %eth0.
_ADDRESS = re.compile(
    r"([0-9.]+)(?::[0-9]{1,5})?|\[([0-9a-fA-F:.]+)(?:%[^\]]+)?\](?::[0-9]{1,5})?|([0-9a-fA-F:.]*:[0-9a-fA-F:.]*)(?:%.+)?"
)
_LONGEST_ADDRESS = 64


class ClientAddress(NamedTuple):
    """Whence a request came: its address and the first one of the /24 or /48 around it; both empty if unknown."""

    address: str
    network: str


UNKNOWN = ClientAddress("", "")


def client_address(text: str) -> ClientAddress:
    """Of an address as proxies write it, with a port or a zone or without; of all else, UNKNOWN."""
    return _client_address(text) if len(text) <= _LONGEST_ADDRESS else UNKNOWN


@lru_cache(maxsize=_REMEMBERED)
def _client_address(text: str) -> ClientAddress:
    found = _ADDRESS.fullmatch(text)
    try:
        parsed = ipaddress.ip_address(next(filter(None, found.groups()))) if found else None
    except ValueError:
        return UNKNOWN
    if parsed is None:
        return UNKNOWN
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    network = ipaddress.ip_network((parsed, _KEPT_BITS[parsed.version]), strict=False)
    return ClientAddress(str(parsed), str(network.network_address))


def client_of(scope: Scope, hops: int) -> ClientAddress:
    """Whom the outermost of our own `hops` proxies saw; what stands before that anybody can write.

    To be asked before the body is read: what comes after a body is no header.
    """
    if hops:
        lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        seen = [one for part in ",".join(lines).split(",") if (one := part.strip())]
        if len(seen) >= hops:
            return client_address(seen[-hops])
    peer = scope.get("client")
    return client_address(peer[0]) if peer else UNKNOWN


@lru_cache(maxsize=_REMEMBERED)
def sender(address: str) -> str:
    """What is counted as one sender: an IPv4 address or an IPv6 /64; what is no address, as it is."""
    found = client_address(address)
    if found is UNKNOWN:
        return address
    parsed = ipaddress.ip_address(found.address)
    return str(ipaddress.ip_network((parsed, _SENDER_BITS[parsed.version]), strict=False).network_address)


def sender_of(scope: Scope, hops: int) -> str:
    """Under whom a request is counted, behind `hops` proxies of ours: the `sender` whom they saw."""
    return sender(client_of(scope, hops).address)
