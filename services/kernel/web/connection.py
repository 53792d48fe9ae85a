"""An HTTP connection that nobody can hold for nothing: heads and bodies are bounded in time, connections in number."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.kernel.settings import Settings

_HEAD_BYTES = 64 * 1024
_MOST_HEADERS = 100
# How long what is left of a body may flow after its request was answered.
_REST_SECONDS = 5.0
# In the scope of a request whose body did not come in time; the door then answers 408.
LATE = "wootstream.late"


class Connection(HttpToolsProtocol):
    """uvicorn's, which itself waits for ever, and takes a head of any length.

    A connection beyond the most is closed unanswered: there is nobody to read its request.
    """

    most = 0
    head_seconds = 0.0
    body_seconds = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_bytes = 0
        self._awaited = ""  # what the deadline is for
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
        else:
            self._await("head")

    def connection_lost(self, exc: Exception | None) -> None:
        self._await("")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_BYTES:
                self.send_400_response("The head is too long.")
            self._await("head")
        elif self.cycle.more_body:
            self._await("rest" if self.cycle.response_complete else "body")
        elif self._awaited:
            self._await("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        if len(self.headers) > _MOST_HEADERS:
            raise ValueError("too many headers")  # the parser turns it into a 400
        super().on_headers_complete()  # raises likewise, for what is no path
        self._in_head = False

    def _await(self, what: str) -> None:
        """Set the deadline for it; more bytes of the same bring no more time."""
        if what == self._awaited:
            return
        if self._deadline:
            self._deadline.cancel()
        self._awaited, self._deadline = what, None
        if what == "head":
            self._deadline = self.loop.call_later(self.head_seconds, self.transport.close)
        elif what == "body":
            self._deadline = self.loop.call_later(self.body_seconds, self._tell_late)
        elif what == "rest":
            self._deadline = self.loop.call_later(_REST_SECONDS, self.transport.close)

    def _tell_late(self) -> None:
        self.cycle.scope[LATE] = True  # type: ignore[literal-required]
        self.cycle.message_event.set()


def limited(settings: Settings) -> type[Connection]:
    """Connections with these settings' limits."""
    limits = {
        "most": settings.http_connections,
        "head_seconds": settings.head_seconds,
        "body_seconds": settings.body_seconds,
    }
    return type("LimitedConnection", (Connection,), limits)
