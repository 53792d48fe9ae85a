"""A sender who goes in the middle of a body, or does not send it in time: no error of ours."""

from typing import Any

from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message
from structlog.testing import capture_logs

from local.chatwoot.app import app as double_app
from local.chatwoot.double import Double
from services.kernel.telemetry.metrics import Metrics
from services.kernel.web.http import Site
from services.kernel.web.operations import body_as


class _Form(BaseModel):
    """Anything."""


async def _route(request: Request) -> Response:
    await body_as(request, _Form)
    raise AssertionError("there was no body")


async def _status(app: ASGIApp, path: str, *, method: str = "POST") -> int:
    """Of the answer to a request whose sender is gone before its body came."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http", "method": method, "path": path, "headers": [], "query_string": b"", "root_path": "",
        "client": ("192.0.2.1", 1), "server": ("x", 80), "scheme": "http", "http_version": "1.1",
    }  # fmt: skip
    await app(scope, receive, send)
    status: int = sent[0]["status"]
    return status


async def test_a_body_that_never_comes_is_no_error_of_ours() -> None:
    registry = CollectorRegistry()
    site = Site(registry, Metrics(registry))
    site.route("/api/x", _route, methods=("POST",))

    with capture_logs() as logs:
        assert await _status(site, "/api/x") == 408

    assert logs == []
    assert not registry.get_sample_value("wootstream_http_broken_total", {"door": "routes"})


async def test_nor_is_it_one_of_chatwoots_double() -> None:
    assert await _status(double_app(Double()), "/double", method="PATCH") == 408
