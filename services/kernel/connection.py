"""An HTTP connection that nobody can hold for nothing: heads are bounded in size and time, connections in number."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.kernel.settings import Settings

_HEAD_BYTES = 64 * 1024
_MOST_HEADERS = 100
# How long what is left of a body may flow after its request was answered.
_REST_SECONDS = 5.0


class Connection(HttpToolsProtocol):
    """uvicorn's, which itself waits for ever for a head and takes one of any length.

    A connection beyond the most is closed unanswered: there is nobody to read its request.
    """

    most = 0
    head_seconds = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
        else:
            self._close_after(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stay()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_BYTES:
                self.send_400_response("The head is too long.")
            self._close_after(self.head_seconds)
        elif self.cycle.response_complete and self.cycle.more_body:
            self._close_after(_REST_SECONDS)
        elif self._deadline:
            self._stay()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        if len(self.headers) > _MOST_HEADERS:
            raise ValueError("too many headers")  # the parser turns it into a 400
        super().on_headers_complete()

    def _close_after(self, seconds: float) -> None:
        """The first call counts: more bytes bring no more time."""
        if self._deadline is None:
            self._deadline = self.loop.call_later(seconds, self.transport.close)

    def _stay(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def limited(settings: Settings) -> type[Connection]:
    """Connections with these settings' limits."""
    limits = {"most": settings.http_connections, "head_seconds": settings.head_seconds}
    return type("LimitedConnection", (Connection,), limits)
