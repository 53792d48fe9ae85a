"""A connection that ended is gone at once: of thousands that the collector found each time it ran, everybody waited."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send

from services.kernel.settings import Settings
from services.kernel.telemetry.metrics import Metrics
from services.kernel.web.connection import HttpConnection
from services.kernel.web.http import HttpServer, Site
from tests.eventually import eventually

_TIMES = 10
_POST = b"POST /door HTTP/1.1\r\nhost: x\r\n"
_SAID = {
    "nothing": b"",
    "half a head": _POST,
    "half a body": _POST + b"content-length: 10\r\n\r\n{",
    "one request": _POST + b"content-length: 2\r\n\r\n{}",
    "the last request": _POST + b"connection: close\r\ncontent-length: 2\r\n\r\n{}",
    "a few at once": (_POST + b"content-length: 2\r\n\r\n{}") * 3,
    "an upgrade": _POST + b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\n{}",
    "a route": b"GET /live HTTP/1.1\r\nhost: x\r\n\r\n",
    "no request": b"NONSENSE\r\n\r\n",
}


async def door(_scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest_asyncio.fixture
async def port(settings: Settings) -> AsyncIterator[int]:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    site = Site(registry, metrics)
    site.door("/door", door)
    server = HttpServer(site, settings.model_copy(update={"http_port": 0}), metrics)
    await server.start()
    yield int(server.address.rpartition(":")[2])
    await server.stop()


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """What there is goes now, what comes stays until it ends: no collection is taken for another's time."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def connections() -> list[HttpConnection]:
    return [one for one in gc.get_objects() if type(one) is HttpConnection]


@pytest.mark.parametrize("what", _SAID)
async def test_connection_that_ended_leaves_nothing_for_the_collector(port: int, what: str) -> None:
    with without_collector():
        others = connections()  # of servers that tests before this one left to the collector
        for _ in range(_TIMES):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(_SAID[what])
            writer.write_eof()
            with contextlib.suppress(ConnectionError):
                await reader.read()
            writer.close()
        await eventually(lambda: all(any(one is other for other in others) for one in connections()))
