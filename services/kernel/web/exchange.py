"""One request and its answer, as an ASGI application sees them."""

import asyncio
import http
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import structlog
from starlette.types import ASGIApp, Message, Scope

from services.kernel.web.faults import Fault

if TYPE_CHECKING:
    from services.kernel.web.connection import HttpConnection

log = structlog.get_logger()
# In the scope of a request whose body did not come in time; the door then answers 408.
LATE = "wootstream.late"
# In every scope: time.monotonic() of the moment when the request's head was whole, or all of it if nobody had begun.
HEAD_AT = "wootstream.head_at"
# In the scope of a request that its door raised for: headers that its answer bears beside its own.
BESIDE = "wootstream.beside"
# Answers a whole request by `Exchange.answer`, now or later, or gives it back by `Exchange.start_over`. False: not this
# one, let its application have it.
Whole = Callable[["Exchange"], bool]

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_MOST_UNREAD_BYTES = 64 * 1024  # as asyncio's own high-water mark
_BODILESS = frozenset({*range(100, 200), 204, 304})
_STATUS_LINES = {one.value: f"HTTP/1.1 {one.value} {one.phrase}\r\n".encode() for one in http.HTTPStatus}


class AnswerHead(NamedTuple):
    """An answer's status and headers, judged and put together: whoever gives the same answer often does so once."""

    status: int
    line: bytes
    fields: bytes
    length: int | None  # of its body, where the headers say so
    closes: bool  # it is its connection's last


def answer_head(message: Message) -> AnswerHead:
    """Of `http.response.start`. Raises RuntimeError for any other message, ValueError for a line break in a header."""
    if message["type"] != "http.response.start":
        raise RuntimeError(f"{message['type']} before the answer's start")
    lines: list[bytes] = []
    length, closes = None, False
    for name, value in message.get("headers", ()):
        if name == b"connection":  # only "close" can be meant, and that is said once
            closes = True
            continue
        if name == b"content-length":
            length = int(value)
        lines += (name, b": ", value, b"\r\n")
    fields = b"".join(lines)
    # Four parts a line, one line break: any other comes from a value, and would begin a header of somebody else's.
    if fields.count(b"\n") * 4 != len(lines) or fields.count(b"\r") * 4 != len(lines) or b"\x00" in fields:
        raise ValueError("a header holds a line break")
    status = message["status"]
    return AnswerHead(status, _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status, fields, length, closes)


class Exchange:
    """`receive` and `send` of one request; what its connection must know of it are its public fields.

    One that a door takes as a whole needs neither: it ends with `answer`.
    """

    __slots__ = (
        "_bodiless",
        "_chunked",
        "_connection",
        "_event",
        "_handed",
        "_head",
        "_left",
        "_parts",
        "_unread",
        "address",
        "begun",
        "complete",
        "expects",
        "gone",
        "keep_alive",
        "late",
        "more_body",
        "rest",
        "scope",
        "task",
        "whole",
        "written",
    )

    def __init__(self, connection: "HttpConnection", scope: Scope, *, rest: int) -> None:
        self._connection = connection
        self.scope = scope
        self.keep_alive = True
        self.expects = False  # its sender waits for 100 before the body
        self.rest = rest  # bytes of the body that are still to come
        self.address = ""  # under which it is counted
        self.begun = False  # somebody is to answer it
        self.whole: Whole | None = None  # who answers it if he may have all of it at once
        self.task: asyncio.Task[None] | None = None
        self.more_body = True
        self.late = False
        self.gone = False  # nobody hears the answer any more
        self.written = False
        self.complete = False
        self._parts: list[bytes] = []
        self._unread = 0
        self._handed = False
        self._head = b""
        self._left: int | None = None  # of the answer's body, where its length was said
        self._chunked = False
        self._bodiless = False
        self._event: asyncio.Event | None = None

    async def run(self, app: ASGIApp) -> None:
        """Let the application answer; whatever it does, the connection goes on or ends."""
        try:
            await app(self.scope, self.receive, self.send)
        except Exception as error:
            log.error("http_application_raised", exc_info=error)
        finally:
            if not self.complete and not self.gone:
                self._connection.break_off(self, Fault.BROKEN)

    def add(self, part: bytes) -> bool:
        """More of the body; whether the application must read before more of it may come."""
        self._parts.append(part)
        self._unread += len(part)
        self.rest -= len(part)
        self._wake()
        return self._unread > _MOST_UNREAD_BYTES

    def end_body(self) -> None:
        self.more_body = False
        self._wake()

    def end_waiting(self) -> None:
        """The body did not come in time: the application hears of it, and the answer is the connection's last."""
        self.late, self.keep_alive, self.scope[LATE] = True, False, True
        self._wake()

    def lose(self) -> None:
        """Nobody hears the answer any more."""
        self.gone = True
        self._wake()

    @property
    def body(self) -> bytes:
        """What there is of it; for who takes it as a whole, for it stays here."""
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0] if self._parts else b""

    def answer(self, head: AnswerHead, body: bytes) -> None:
        """The same as `send` twice, of an answer that is short."""
        if not self.gone:
            self._begin(head)
            self._continue(body, last=True)

    def start_over(self) -> None:
        """Let its application have it after all."""
        if not self.gone:
            self._connection.run(self)

    async def receive(self) -> Message:
        while not (self.gone or self.complete):
            if not self._handed and (self._parts or self.late or not self.more_body):
                return self._hand_over()
            if self.late:
                break
            await self._wait()
        return {"type": "http.disconnect"}

    def _hand_over(self) -> Message:
        body = b"".join(self._parts)
        self._parts.clear()
        self._unread = 0
        self._handed = self.late or not self.more_body
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def _wait(self) -> None:
        if self.expects and self.more_body and not self._head:
            self.expects = False
            self._connection.write(_CONTINUE)
        self._connection.resume_reading()
        if self._event is None:
            self._event = asyncio.Event()
        self._event.clear()
        await self._event.wait()

    def _wake(self) -> None:
        if self._event is not None:
            self._event.set()

    async def send(self, message: Message) -> None:
        if self.gone:
            return
        if not self._head:
            self._begin(answer_head(message))
            return
        if self.complete or message["type"] != "http.response.body":
            raise RuntimeError(f"{message['type']} does not follow what was sent")
        if self._connection.write_paused:
            await self._connection.drained()
        if not self.gone:
            self._continue(message.get("body", b""), last=not message.get("more_body", False))

    def _begin(self, head: AnswerHead) -> None:
        """Make the head; it waits for the first part of the body, so that both go out at once."""
        if head.closes or (self.more_body and not self._connection.reads_rest_of(self)):
            self.keep_alive = False
        fields = head.fields
        self._left = head.length
        self._bodiless = head.status in _BODILESS or self.scope["method"] == "HEAD"
        if not self._bodiless and head.length is None:
            self._chunked = self.scope["http_version"] == "1.1"
            self.keep_alive = self.keep_alive and self._chunked
            fields += b"transfer-encoding: chunked\r\n" if self._chunked else b""
        end = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        self._head = head.line + self._connection.date() + fields + end

    def _continue(self, body: bytes, *, last: bool) -> None:
        if self._bodiless:
            body = b""
        elif self._chunked:
            body = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + (b"0\r\n\r\n" if last else b"")
        elif self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (last and self._left):
                raise RuntimeError("the answer's body has another length than its head says")
        if self.written:
            self._connection.write(body)
        else:
            self.written = True
            self._connection.write(self._head + body)
        if last:
            self.complete = True
            self._wake()
            self._connection.answered(self)
