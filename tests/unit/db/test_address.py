"""Addresses of databases as people and hosted services write them; and that no message quotes a part of a password."""

import inspect
import ssl
from typing import Any
from urllib.parse import quote

import pytest
from asyncpg.connect_utils import _parse_connect_dsn_and_args
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from db.address import BadAddress, read
from services.kernel import Settings, Stop
from services.kernel.cli.environment import environment

_PASSWORD = "p@ss:w/rd?#%"


def understood(url: str) -> tuple[Any, Any]:
    """The addresses and the login that asyncpg makes of it."""
    names = inspect.signature(_parse_connect_dsn_and_args).parameters
    found = _parse_connect_dsn_and_args(**(dict.fromkeys(names) | read(url).arguments()))
    return found[0], found[1]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
@pytest.mark.parametrize(
    "query",
    [
        "",
        "?sslmode=require",
        "?sslmode=require&channel_binding=require",
        "?sslmode=require&options=endpoint%3Dep-cool-1&pool_timeout=10",
        "?pgbouncer=true&connection_limit=1&connect_timeout=15",
        "?target_session_attrs=read-write&application_name=shop&keepalives_idle=30",
        "?schema=public&sslmode=prefer",
    ],
)
def test_hosted_services_addresses_lead_where_they_say(scheme: str, query: str) -> None:
    addresses, login = understood(f"{scheme}://jan.ref:{quote(_PASSWORD, safe='')}@ep-1.eu.example:6543/shop{query}")
    assert addresses == [("ep-1.eu.example", 6543)]
    assert (login.user, login.password, login.database) == ("jan.ref", _PASSWORD, "shop")


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("postgresql://u:p@[2001:db8::1]:5433/d", [("2001:db8::1", 5433)]),
        ("postgresql://u:p@a:1,b:2,c/d?target_session_attrs=primary", [("a", 1), ("b", 2), ("c", 5432)]),
        ("postgresql:///d?host=/var/run/postgresql&user=u", ["/var/run/postgresql/.s.PGSQL.5432"]),
        ("postgresql://u@%2Fvar%2Frun%2Fpostgresql/d", ["/var/run/postgresql/.s.PGSQL.5432"]),
        ("postgresql://u:p@127.0.0.1/d\n", [("127.0.0.1", 5432)]),  # out of a file
    ],
)
def test_hosts_are_understood(url: str, addresses: list[Any]) -> None:
    assert understood(url)[0] == addresses


def test_what_the_address_says_of_a_pooler_and_of_the_session_is_kept() -> None:
    assert read("postgresql://u:p@h/d?pgbouncer=true").pooled
    assert read("postgresql://u:p@h/d?statement_cache_size=0").pooled
    assert not read("postgresql://u:p@h/d?pgbouncer=false").pooled
    assert read("postgresql://u:p@h/d?options=-c%20x%3Dy").server_settings == {"options": "-c x=y"}


@pytest.mark.parametrize(
    "query", ["sslmode=verify-full", "sslrootcert=system", "sslmode=verify-full&sslrootcert=system"]
)
def test_proof_without_an_authority_is_that_of_this_machines(query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    context = read(f"postgresql://u:p@h/d?{query}").arguments()["ssl"]
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://u:p@h/d?sslmodee=verify-full", "parameter sslmodee that we do not know"),
        ("postgresql://u:p@h:70000/d", "port that is none"),
        ("mysql://u:p@h/d", "no address like postgresql://"),
        (
            "postgresql://u:p@h/d?sslmode=verify-full&sslrootcert=/no/such.pem",
            "sslrootcert that cannot be read: No such",
        ),
    ],
)
def test_what_cannot_be_used_is_named(url: str, says: str) -> None:
    with pytest.raises(BadAddress, match=says):
        read(url).arguments()


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=6, max_size=12), st.data())
def test_no_message_and_no_repr_quotes_a_part_of_a_password(password: str, data: st.DataObject) -> None:
    raw = f"xQ7{password}9Zk"  # as it is, not percent-encoded
    shape = data.draw(
        st.sampled_from(["postgresql://u:{}@h/d", "postgres://{}@h:x/d", "postgresql://u:p@h:{}/d", "{}"])
    )
    said = ""
    try:
        said = repr(read(shape.format(raw)))
        said += repr(Settings.model_validate({"database_url": shape.format(raw)}))
    except (BadAddress, ValidationError) as error:
        said += f"{error!r} {error}"
    assert "xQ7" not in said
    assert "9Zk" not in said


def test_unreadable_address_is_one_sentence_about_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:secret@wort@h/d")
    with pytest.raises(Stop, match=r"DATABASE_URL: .*in a password @ is written as %40") as refused:
        environment()
    assert "secret" not in str(refused.value)
    assert "wort" not in str(refused.value)
