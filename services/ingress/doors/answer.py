"""Answers as two ASGI messages and as bytes, built once: on the hot path nothing is put together."""

from typing import Any

import orjson
from starlette.types import Message, Send

from services.kernel.web.exchange import Exchange, answer_head
from services.kernel.web.http import SECURITY

AnswerHeaders = tuple[tuple[bytes, bytes], ...]


class DoorAnswer:
    """A whole response."""

    __slots__ = ("_body", "_head", "_headers", "_start", "length", "status")

    def __init__(self, status: int, body: bytes = b"", headers: AnswerHeaders = ()) -> None:
        self.status = status
        self.length = len(body)
        self._headers = headers
        # One without a body needs none of them, and each costs the hot path as much as a look-up.
        every = [*headers, *SECURITY] if body else list(headers)
        self._start: Message = {"type": "http.response.start", "status": status, "headers": every}
        self._head = answer_head(self._start)
        self._body: Message = {"type": "http.response.body", "body": body}

    async def send(self, send: Send) -> None:
        await send(self._start)
        await send(self._body)

    def end(self, exchange: Exchange) -> None:
        """Answer what a door took as a whole."""
        exchange.answer(self._head, self._body["body"])

    def allowing(self, origin: bytes) -> "DoorAnswer":
        """The same, readable by a page of this origin."""
        return DoorAnswer(self.status, self._body["body"], (*self._headers, *cors(origin)))


def cors(origin: bytes) -> AnswerHeaders:
    """For a page of this origin, in whichever way it asks: sendBeacon sends with credentials. The doors know none, but
    a browser that is not allowed them posts nothing after its preflight, and shows the page no answer."""
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"retry-after"),
        (b"vary", b"origin"),
    )


def json_answer(status: int, value: Any, *, headers: AnswerHeaders = ()) -> DoorAnswer:
    body = orjson.dumps(value)
    kind = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)))
    return DoorAnswer(status, body, (*kind, *headers))


TAKEN = DoorAnswer(204)


def _may(method: bytes) -> DoorAnswer:
    """To what a browser asks before it sends what no form could send."""
    return DoorAnswer(
        204,
        headers=(
            (b"access-control-allow-methods", method),
            (b"access-control-allow-headers", b"content-type"),
            (b"access-control-max-age", b"600"),
        ),
    )


MAY_GET, MAY_POST = _may(b"GET"), _may(b"POST")
