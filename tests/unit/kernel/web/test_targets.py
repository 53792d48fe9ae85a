"""Where calls may go is judged by the address that a name leads to, in whatever clothes it comes."""

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from local.chatwoot.app import listening, serving
from local.chatwoot.double import Double
from services.kernel import Chatwoot, Clock, Refusal, Retryable, Settings
from services.kernel.chatwoot.chatwoot_client import ChatwootAnswer
from services.kernel.web.targets import check_target, is_public

_PRIVATE = (
    "127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "::1", "fe80::1",
    "fd00::1", "::ffff:10.0.0.1", "2002:a00:1::", "64:ff9b::a00:1", "fec0::1", "::10.0.0.1", "::ffff:0:10.0.0.1",
    "64:ff9b:1::a00:1", "5f00::1", "3fff::1", "2001:0:a00:1::1",
)  # fmt: skip


@pytest.mark.parametrize("address", _PRIVATE)
def test_an_address_of_a_private_network_is_none_of_the_internet(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["http://[::1", "http://a:65536", "http://a:b", "http://x..y"])
async def test_what_is_no_address_is_a_sentence(address: str) -> None:
    with pytest.raises(Refusal, match="is not called"):
        await check_target(address, private=True)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1", "2a00::1", "::ffff:93.184.215.14"])
def test_an_address_of_the_internet_may_be_called(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("url", ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:3000", "http://2130706433"])
async def test_a_name_that_leads_inside_is_refused(url: str) -> None:
    with pytest.raises(Refusal, match="is in a private network"):
        await check_target(url, private=False)


@pytest.mark.parametrize(
    "url", ["ftp://chatwoot.example", "https://user:word@chatwoot.example", "https://a.example/path"]
)
async def test_what_is_no_address_of_a_chatwoot_is_refused(url: str) -> None:
    with pytest.raises(Refusal, match="is no address of a Chatwoot"):
        await check_target(url, private=True)


async def test_the_connection_itself_goes_only_where_it_may() -> None:
    async with serving(Double()) as address:
        named = address.replace("127.0.0.1", "localhost")
        assert b"4.13.0" in (await _asked(named, private=True)).content
        with pytest.raises(Retryable, match="is not called: localhost is in a private network"):
            await _asked(named, private=False)


async def test_a_redirect_into_the_network_is_not_followed() -> None:
    called: list[str] = []

    async def elsewhere(scope: Scope, _receive: Receive, send: Send) -> None:
        called.append(scope["path"])
        await Response(status_code=302, headers={"location": "/inside"})(scope, _receive, send)

    async with listening(elsewhere) as address:
        with pytest.raises(Retryable, match="leads elsewhere"):
            await _asked(address, private=True)

    assert called == ["/api"]


async def test_two_names_of_one_address_share_no_connection() -> None:
    """What stands before both may choose the server by the connection's first name."""
    clients: set[object] = set()

    async def who(scope: Scope, _receive: Receive, send: Send) -> None:
        clients.add(scope["client"])
        await JSONResponse({})(scope, _receive, send)

    async with listening(who) as address, _client(private=True) as client:
        for name in ("localhost", "127.0.0.1", "localhost"):
            await client.call(address.replace("127.0.0.1", name), "GET", "/api", token="word")

    assert len(clients) == 2


async def _asked(address: str, *, private: bool) -> ChatwootAnswer:
    async with _client(private=private) as client:
        return await client.call(address, "GET", "/api", token="word")


@asynccontextmanager
async def _client(*, private: bool) -> AsyncIterator[Chatwoot]:
    client = Chatwoot(Settings(chatwoot_private_addresses=private), Clock(), CollectorRegistry())
    try:
        yield client
    finally:
        await client.close()
