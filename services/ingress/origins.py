"""Which pages may speak for a store, and what of an address is kept."""

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

_LOOPBACK = frozenset({"localhost", "127.0.0.1"})
_WEB = frozenset({"http", "https"})
_REMEMBERED = 4_096
_KEPT_BITS = {4: 24, 6: 48}
# 192.0.2.1, 192.0.2.1:80, [2001:db8::1], [2001:db8::1]:443, 2001:db8::1, IPv6 also with a zone like %eth0.
_ADDRESS = re.compile(
    r"([0-9.]+)(?::[0-9]{1,5})?|\[([0-9a-fA-F:.]+)(?:%[^\]]+)?\](?::[0-9]{1,5})?|([0-9a-fA-F:.]*:[0-9a-fA-F:.]*)(?:%.+)?"
)
_LONGEST_ADDRESS = 64


def allowed_origins(domains: Iterable[str]) -> frozenset[str]:
    """The origins of a store's domains, exactly: `shop.example` is https alone, a loopback name http too, and an entry
    with a scheme is itself."""
    origins = set()
    for domain in domains:
        name = domain.strip().lower().rstrip("/")
        if "://" in name:
            origins.add(name)
        elif name:
            origins.add(f"https://{name}")
            if name.partition(":")[0] in _LOOPBACK:
                origins.add(f"http://{name}")
    return frozenset(origins)


class Visitor(NamedTuple):
    """Whence a request came: its address and the first one of the /24 or /48 around it; both empty if unknown."""

    address: str
    network: str


UNKNOWN = Visitor("", "")


def visitor(text: str) -> Visitor:
    """Of an address as proxies write it, with a port or a zone or without; of all else, UNKNOWN."""
    return _visitor(text) if len(text) <= _LONGEST_ADDRESS else UNKNOWN


@lru_cache(maxsize=_REMEMBERED)
def _visitor(text: str) -> Visitor:
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
    return Visitor(str(parsed), str(network.network_address))


@lru_cache(maxsize=_REMEMBERED)
def without_query(url: str) -> str | None:
    """A page's address without query, fragment and user name; None for what is no web page."""
    scheme, _, rest = url.partition("#")[0].partition("?")[0].partition("://")
    place, slash, path = rest.partition("/")
    host = place.rpartition("@")[2]
    return f"{scheme}://{host}{slash}{path}" if host and scheme in _WEB else None
