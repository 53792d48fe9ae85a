"""The database's address as people and hosted services write it, and what asyncpg makes of it.

No message of this module quotes any part of an address: what cannot be read may be a password.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

_FORM = re.compile(
    r"postgres(ql)?(\+\w+)?://((?P<login>[^@/?#\s]*)@)?(?P<hosts>[^@/?#\s]*)(/(?P<database>[^@/?#\s]*))?(\?(?P<query>[^@#\s]*))?"
)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\[\]:,]*)(:(?P<port>\d{1,5})?)?")
# asyncpg takes these out of the address by itself.
_UNDERSTOOD = frozenset(
    "host port dbname user password passfile service sslmode sslcert sslkey sslrootcert sslcrl sslpassword sslnegotiation "
    "ssl_min_protocol_version ssl_max_protocol_version target_session_attrs krbsrvname gsslib".split()
)
# Go to the server with the connection's start.
_OF_THE_SESSION = frozenset({"options"})
# Of other drivers, of hosted services' consoles, or about what we choose ourselves.
_WITHOUT_EFFECT = frozenset(
    "application_name fallback_application_name client_encoding connect_timeout channel_binding gssencmode keepalives "
    "keepalives_idle keepalives_interval keepalives_count tcp_user_timeout load_balance_hosts requiressl sslcompression "
    "sslsni sslcertmode require_auth uselibpqcompat pgbouncer prepared_statements prepared_statement_cache_size "
    "statement_cache_size prepareThreshold preferQueryMode connection_limit pool_timeout pool_mode pool_max_conns schema "
    "supa sslaccept".split()
)
_POOLED = {"pgbouncer": ("true", "1", "yes"), "statement_cache_size": ("0",), "prepared_statement_cache_size": ("0",)}
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_SYSTEM = "system"  # libpq's word for the authorities that this machine trusts


class BadAddress(ValueError):
    """The address cannot be used as it is written: the sentence says why and quotes nothing of it."""


@dataclass(frozen=True)
class DatabaseAddress:
    """Where the database is; `pooled` if the address itself says that a pooler stands before it."""

    dsn: str = field(repr=False)
    pooled: bool
    server_settings: Mapping[str, str] = field(repr=False)
    _tls: Mapping[str, str] = field(repr=False)

    def arguments(self) -> dict[str, Any]:
        """The same for asyncpg. Raises BadAddress where a file that it names cannot be used."""
        tls = _context(self._tls)
        return {"dsn": self.dsn} | ({"ssl": tls} if tls else {})


def read(url: str) -> DatabaseAddress:
    """Raises BadAddress."""
    parts = _FORM.fullmatch(url.strip())
    if parts is None:
        raise BadAddress(
            "is no address like postgresql://user:password@host:5432/database; in a password @ is written as %40, "
            "/ as %2F, ? as %3F, # as %23 and % as %25"
        )
    if not all(_is_host(one) for one in _hosts(parts["hosts"])):
        raise BadAddress("has a host or a port that is none; in a password : and @ are written as %3A and %40")
    query = dict(parse_qsl(parts["query"] or "", keep_blank_values=True))
    _refuse_unknown(query)
    kept = {name: value for name, value in query.items() if name in _UNDERSTOOD and value}
    tls = {name: value for name, value in kept.items() if name.startswith("ssl")}
    if _by_system(tls):
        for name in ("sslmode", "sslrootcert"):
            kept.pop(name, None)
    return DatabaseAddress(
        dsn=_dsn(parts, kept),
        pooled=any(query.get(name) in values for name, values in _POOLED.items()),
        server_settings={name: value for name, value in query.items() if name in _OF_THE_SESSION},
        _tls=tls,
    )


def _dsn(parts: re.Match[str], query: Mapping[str, str]) -> str:
    login = f"{parts['login']}@" if parts["login"] else ""
    database = f"/{parts['database']}" if parts["database"] else ""
    options = urlencode(query, quote_via=quote)
    return f"postgresql://{login}{parts['hosts']}{database}" + (f"?{options}" if options else "")


def _hosts(text: str) -> list[str]:
    return text.split(",")


def _is_host(text: str) -> bool:
    found = _HOST.fullmatch(text)
    return found is not None and int(found["port"] or 0) < 2**16


def _refuse_unknown(query: Mapping[str, str]) -> None:
    for name in query:
        if name not in _UNDERSTOOD | _OF_THE_SESSION | _WITHOUT_EFFECT:
            known = name if re.fullmatch(r"[a-z_]{1,40}", name) else "that is none"
            raise BadAddress(f"has a parameter {known} that we do not know: leave it out, or see how it is spelled")


def _by_system(tls: Mapping[str, str]) -> bool:
    """Whether the authorities of this machine decide: where the address says so, or demands proof and names nobody."""
    if tls.get("sslrootcert") == _SYSTEM:
        return True
    checked = tls.get("sslmode") in ("verify-ca", "verify-full")
    return checked and "sslrootcert" not in tls and not (Path.home() / ".postgresql" / "root.crt").exists()


def _context(tls: Mapping[str, str]) -> ssl.SSLContext | None:
    """What asyncpg cannot make of the address; None where it can. Raises BadAddress for a file that it would not find."""
    for name in _FILES:
        if (path := tls.get(name)) and path != _SYSTEM:
            _readable(name, path)
    if not _by_system(tls):
        return None
    context = ssl.create_default_context()
    # libpq's verify-ca asks for the authority alone.
    context.check_hostname = tls.get("sslmode") != "verify-ca"
    if certificate := tls.get("sslcert"):
        password = tls.get("sslpassword", "")
        context.load_cert_chain(certificate, tls.get("sslkey"), lambda: password)
    return context


def _readable(name: str, path: str) -> None:
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise BadAddress(f"names a file as {name} that cannot be read: {error.strerror}") from error
