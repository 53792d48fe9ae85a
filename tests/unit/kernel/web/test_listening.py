"""A process listens often enough that no flood of connections keeps the next sender out, and says who has its port."""

import socket

import pytest
from prometheus_client import CollectorRegistry

from services.kernel import Settings, Stop
from services.kernel.telemetry.metrics import Metrics
from services.kernel.web.http import HttpServer, Site


def _server(port: int) -> HttpServer:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    return HttpServer(Site(registry, metrics), Settings(http_host="127.0.0.1", http_port=port), metrics)


async def test_one_queue_of_connections_is_listened_to_several_times() -> None:
    """An event loop may take one connection of each listener in a turn: libuv does."""
    server = _server(0)
    await server.start()
    try:
        places = [one.getsockname() for listener in server._server.servers for one in listener.sockets]
        assert len(places) >= 8
        assert len(set(places)) == 1
    finally:
        await server.stop()


async def test_a_taken_port_is_told_with_its_cure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(Stop, match=f"cannot listen on 127.0.0.1:{port}: free the port"):
            await _server(port).start()
