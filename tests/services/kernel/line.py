"""A connection of our server without a socket and without waiting: bytes in, bytes out, and time that a test moves."""

import asyncio
import heapq
import re
from collections.abc import Callable, Coroutine
from typing import Any

from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from services.kernel.telemetry.metrics import Metrics
from services.kernel.web.connection import HttpConnection
from services.kernel.web.crowd import ConnectionLimits, Crowd
from services.kernel.web.exchange import Exchange, Whole, answer_head

HEAD_SECONDS, BODY_SECONDS = 10.0, 5.0
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
# What an application still waits for when its test is over is known to nobody else: the loop's end is to cancel it, not
# the collector to find it, in the middle of another test.
_TASKS: set[asyncio.Task[None]] = set()
OTHERS_TURN_SECONDS = 0.5  # more than whoever sends a lot waits before it is read on
_TURNS = 60  # of the loop, in which whatever can go on has gone on


class Later:
    """Tasks are the running loop's; time and timers are the test's."""

    def __init__(self) -> None:
        self._now = 1_000.0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []

    def time(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, (), asyncio.get_running_loop())
        heapq.heappush(self._timers, (when, len(self._timers), handle))
        return handle

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback)

    def create_task(self, coro: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coro)
        _TASKS.add(task)
        task.add_done_callback(_TASKS.discard)
        return task

    async def forward(self, seconds: float) -> None:
        """Let the time pass, and whatever falls due in it happen at its moment."""
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            self._now, _, handle = heapq.heappop(self._timers)
            if not handle.cancelled():
                handle._run()
            await settled()
        self._now = end


class Socket(asyncio.Transport):
    """Keeps what is written; closing takes effect in the loop's next turn."""

    def __init__(self, address: str) -> None:
        ipv6 = (0, 0) if ":" in address else ()
        here = "::1" if ipv6 else "127.0.0.1"
        super().__init__({"peername": (address, 40_000, *ipv6), "sockname": (here, 80, *ipv6)})
        self.written = b""
        self.open = True
        self.reading = True
        self.ended = False
        self.stuck = False  # the other side reads nothing, so that nothing can be flushed
        self.lost: Callable[[], None]

    def write(self, data: Any) -> None:
        assert self.open, "written after the end"
        assert not self.ended, "written after its own EOF"
        self.written += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return not self.open

    def close(self) -> None:
        if self.open and not self.stuck:
            self.abort()
        self.open = False

    def abort(self) -> None:
        if self.open or self.stuck:
            self.open = self.stuck = False
            asyncio.get_running_loop().call_soon(self.lost)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class App:
    """Answers by path, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bytes]] = []
        self.scopes: list[Scope] = []
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        if scope["path"] == "/broken":
            raise ZeroDivisionError
        if scope["path"] == "/held":
            await self.go_on.wait()
        body, status = b"", 204
        while scope["path"] != "/early":
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message["body"]
            if not message["more_body"]:
                break
            if "wootstream.late" in scope:
                status = 408
                break
        self.asked.append((scope["method"], scope["path"], body))
        text = b"a text" if scope["path"] == "/text" else b""
        headers = [(b"content-length", b"6")] if text else []
        await send({"type": "http.response.start", "status": 200 if text else status, "headers": headers})
        await send({"type": "http.response.body", "body": text})


class WholeApp(App):
    """Takes what it can as a whole; answers at once, in a moment, or gives it back, in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0
        self.held: list[Exchange] = []

    def named(self, path: str) -> Whole | None:
        return None if path == "/early" else self._whole

    def _whole(self, exchange: Exchange) -> bool:
        if exchange.scope["path"] == "/broken":
            return False
        self.taken += 1
        if exchange.scope["path"] == "/held":
            self.held.append(exchange)
        elif self.taken % 2:
            self.answer(exchange)
        else:
            later = self.answer if self.taken % 4 else Exchange.start_over
            asyncio.get_running_loop().call_soon(later, exchange)
        return True

    def answer(self, exchange: Exchange) -> None:
        scope = exchange.scope
        self.asked.append((scope["method"], scope["path"], exchange.body))
        text = b"a text" if scope["path"] == "/text" else b""
        headers = [(b"content-length", b"6")] if text else []
        start = {"type": "http.response.start", "status": 200 if text else 204, "headers": headers}
        exchange.answer(answer_head(start), text)


class Lines:
    """A server's connections."""

    def __init__(
        self, *, connections: int = 100, per_address: int = 100, proxy_hops: int = 0, app: ASGIApp | None = None
    ) -> None:
        self.loop = Later()
        self.registry = CollectorRegistry()
        limits = ConnectionLimits(connections, per_address, HEAD_SECONDS, BODY_SECONDS, proxy_hops)
        self.crowd = Crowd(limits, Metrics(self.registry), self.loop)
        self.app = App()
        self.asgi = app or self.app
        self.server = ServerState()

    def line(self, address: str = "192.0.2.1") -> "Line":
        return Line(self, address)

    def counted(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"wootstream_{name}_total", labels) or 0.0


class Line:
    """One of them, from the sender's side."""

    def __init__(self, lines: Lines, address: str) -> None:
        whole = [lines.asgi.named] if isinstance(lines.asgi, WholeApp) else []
        self._loop = lines.loop
        self.connection = HttpConnection(lines.crowd, lines.asgi, lines.server, *whole)
        self.socket = Socket(address)
        self.socket.lost = lambda: self.connection.connection_lost(None)
        self.connection.connection_made(self.socket)

    async def say(self, *parts: bytes) -> list[int]:
        """Send them one by one, as long as the server reads; the statuses of all answers so far."""
        for piece in (piece for part in parts for piece in self._pieces(part)):
            if self.open and self.socket.reading:
                self._read(piece)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if len(piece) == self.turn:
                await self._loop.forward(OTHERS_TURN_SECONDS)
        await settled()
        return self.statuses

    def flood(self, part: bytes) -> None:
        """Send it in one turn of the loop, whether the server reads or not."""
        for piece in self._pieces(part):
            self._read(piece)

    @property
    def turn(self) -> int:
        """Bytes that are read at once, at the most."""
        return len(self.connection.get_buffer(-1))

    def _pieces(self, part: bytes) -> list[bytes]:
        return [part[begin : begin + self.turn] for begin in range(0, len(part), self.turn)]

    def _read(self, piece: bytes) -> None:
        self.connection.get_buffer(-1)[: len(piece)] = piece
        self.connection.buffer_updated(len(piece))

    async def hang_up(self) -> None:
        if not self.connection.eof_received():
            self.socket.close()
        await settled()

    @property
    def statuses(self) -> list[int]:
        return [int(status) for status in _STATUS.findall(self.socket.written)]

    @property
    def open(self) -> bool:
        return self.socket.open

    @property
    def fate(self) -> str:
        """Whether another request can be asked."""
        return "kept" if self.open and not self.socket.ended else "ended"


async def settled() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
