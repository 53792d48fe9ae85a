"""Which pages may speak for a store, and what of their address is kept."""

from collections.abc import Iterable
from functools import lru_cache

_LOOPBACK = frozenset({"localhost", "127.0.0.1"})
_WEB = frozenset({"http", "https"})
_PORTS = {"http": ":80", "https": ":443"}
_REMEMBERED = 4_096


def allowed_origins(domains: Iterable[str]) -> frozenset[str]:
    """The origins of a store's domains, exactly: `shop.example` is https alone, a loopback name http too, and an entry
    with a scheme is itself; without the port that its scheme has anyway, as browsers write it."""
    origins = set()
    for domain in domains:
        name = domain.strip().lower().rstrip("/")
        if "://" in name:
            origins.add(_as_browsers_write(name))
        elif name:
            origins.add(_as_browsers_write(f"https://{name}"))
            if name.partition(":")[0] in _LOOPBACK:
                origins.add(_as_browsers_write(f"http://{name}"))
    return frozenset(origins)


def _as_browsers_write(origin: str) -> str:
    return origin.removesuffix(_PORTS.get(origin.partition("://")[0], ""))


@lru_cache(maxsize=_REMEMBERED)
def without_query(url: str) -> str | None:
    """A page's address without query, fragment and user name; None for what is no web page."""
    scheme, _, rest = url.partition("#")[0].partition("?")[0].partition("://")
    place, slash, path = rest.partition("/")
    host = place.rpartition("@")[2]
    return f"{scheme}://{host}{slash}{path}" if host and scheme in _WEB else None
