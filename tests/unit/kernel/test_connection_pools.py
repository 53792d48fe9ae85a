"""A call to one Chatwoot does not pay for the idle connections to all others."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from services.kernel import Chatwoot, Clock, Settings
from services.kernel.chatwoot.bounded_network import BoundedStream
from tests.answering import keeping_open

_CONTACT = "/api/v1/accounts/3/contacts/1"
_SERVERS = 100
_IDLE_IN_A_POOL = 8


@pytest_asyncio.fixture
async def servers() -> AsyncIterator[list[str]]:
    async with keeping_open(_SERVERS) as bases:
        yield bases


async def test_a_call_asks_of_few_idle_connections_however_many_servers_there_are(
    servers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    really = BoundedStream.get_extra_info

    def counted(stream: BoundedStream, info: str) -> Any:
        nonlocal asked
        asked += info == "is_readable"
        return really(stream, info)

    monkeypatch.setattr(BoundedStream, "get_extra_info", counted)
    chatwoot = Chatwoot(Settings(chatwoot_calls_per_second=1000), Clock(), CollectorRegistry())
    for server in [*servers, *servers]:
        asked = 0
        assert (await chatwoot.call(server, "GET", _CONTACT, token="t")).is_success
        assert asked <= 2 * (_IDLE_IN_A_POOL + 1)  # when it begins and when it has ended
    await chatwoot.close()


async def test_calls_to_one_server_use_its_connection_again(servers: list[str]) -> None:
    chatwoot = Chatwoot(Settings(chatwoot_calls_per_second=1000), Clock(), CollectorRegistry())
    for _ in range(5):
        await chatwoot.call(servers[0], "GET", _CONTACT, token="t")
    (connection,) = chatwoot._pools.of(servers[0])._transport._pool.connections  # type: ignore[attr-defined]
    assert "Request Count: 5" in connection.info()
    await chatwoot.close()
