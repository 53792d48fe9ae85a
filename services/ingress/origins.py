"""Which pages may speak for a store, and what of an address is kept."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

_LOOPBACK = frozenset({"localhost", "127.0.0.1"})
_WEB = frozenset({"http", "https"})
_REMEMBERED = 4_096
_KEPT_BITS = {4: 24, 6: 48}


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


@lru_cache(maxsize=_REMEMBERED)
def network(address: str) -> str:
    """The /24 or /48 that an address lies in, as its first address; what is no address stays as it is."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network((parsed, _KEPT_BITS[parsed.version]), strict=False).network_address)


@lru_cache(maxsize=_REMEMBERED)
def without_query(url: str) -> str | None:
    """A page's address without query, fragment and user name; None for what is no web page."""
    scheme, _, rest = url.partition("#")[0].partition("?")[0].partition("://")
    place, slash, path = rest.partition("/")
    host = place.rpartition("@")[2]
    return f"{scheme}://{host}{slash}{path}" if host and scheme in _WEB else None
