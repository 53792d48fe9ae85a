"""A call to one Chatwoot does not pay for the idle connections to all others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from services.kernel import Chatwoot, Clock, Settings
from services.kernel.chatwoot.bounded_network import BoundedStream

_CONTACT = "/api/v1/accounts/3/contacts/1"
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
_SERVERS = 100
_IDLE_IN_A_POOL = 8


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(_ANSWER)
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # the client has closed it
    finally:
        writer.close()


@pytest_asyncio.fixture
async def servers() -> AsyncIterator[list[str]]:
    """Where they are; each keeps its connections open."""
    async with AsyncExitStack() as opened:
        bases = []
        for _ in range(_SERVERS):
            server = await opened.enter_async_context(await asyncio.start_server(_serve, "127.0.0.1", 0))
            bases.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
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
