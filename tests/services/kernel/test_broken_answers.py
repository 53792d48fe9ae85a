"""What nobody foresaw in a door or a route: one 500 with an id that the log has, too, and nothing of the fault."""

from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from services.kernel.telemetry.metrics import Metrics
from services.kernel.web.http import Site
from tests.services.kernel.line import Lines

_SECRET = "what a stranger sent"


async def _breaks_at_once(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise RecursionError(_SECRET)


async def _breaks_in_a_route(_request: Request) -> Response:
    raise OverflowError(_SECRET)


@pytest.mark.parametrize(("path", "where"), [("/door/x", "/door/"), ("/route", "routes")])
async def test_what_nobody_foresaw_is_one_500_with_an_id(path: str, where: str) -> None:
    registry = CollectorRegistry()
    site = Site(registry, Metrics(registry))
    site.door("/door/", _breaks_at_once)
    site.route("/route", _breaks_in_a_route)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url="http://process") as client:
        with capture_logs() as logs:
            answer = await client.get(path)

    broke = [one for one in logs if one["event"] == "http_answer_broke"]
    assert [answer.status_code, answer.json()["id"]] == [500, broke[0]["id"]]
    assert len(broke) == 1
    assert _SECRET not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert registry.get_sample_value("wootstream_http_broken_total", {"where": where}) == 1


async def _breaks_in_the_middle(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise OverflowError


async def _answers_too_much(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
    await send({"type": "http.response.body", "body": b"two"})


async def _splits_its_answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b\r\nc: d")]})
    await send({"type": "http.response.body", "body": b""})


async def _answers_nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    pass


@pytest.mark.parametrize(
    ("app", "statuses"),
    [
        (_breaks_at_once, [500]),
        (_breaks_in_the_middle, [200]),
        (_answers_too_much, [500]),
        (_splits_its_answer, [500]),
        (_answers_nothing, [500]),
    ],
)
async def test_no_application_holds_its_connection_by_breaking(app: Any, statuses: list[int]) -> None:
    lines = Lines(app=app)
    line = lines.line()

    assert await line.say(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n") == statuses
    await line.hang_up()

    assert not line.open
    assert not lines.server.connections
    assert b"c: d" not in line.socket.written
