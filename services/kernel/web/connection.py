"""An HTTP/1.1 connection that nobody can hold for nothing: one state machine over llhttp, each state with a deadline.

    ┌──────────────────────── answered ───────────────────────────┐
    ▼                                                             │
   idle ──────▶ head ──────▶ body ──────────────────────────▶ answering ──▶ closing
    ▲            ▲ │          │ │                                 │           ▲
    │   a new one┘ └─refused─┐│ └─answered─┐  ┌─broke off─────────┘           │
    │                        ▼▼            ▼  ▼                               │
    └─────────── body whole ──────────── rest ─── nothing to come ────────────┘

    state       who is in it                                  how long            then
    idle        was answered, has asked nothing since         75 s, crowded 5 s   closed
    head        is new, or in the middle of a head            head_seconds        closed
    body        its body, with trailers, is not yet whole     body_seconds        its door says 408, closed
    answering   waits for its answer, or does not read it     60 s                503 or cut off, closed
    rest        has its answer; what still comes is dropped   5 s                 closed
    closing     what was written flows out                    5 s                 cut off

A request begins with its application as soon as its head is whole; one that a door takes as a whole (exchange.py),
when its body is, too, if that will be short: in both ways it is in the state that the drawing says.

The states are the rooms of the crowd (crowd.py), which looks at their deadlines and closes the longest silent one for a
new one at the limit. Bytes are bounded, too: of a head, of what stands between two parts of a body (chunk sizes and
their extensions), and of trailers, which are dropped. Of what is asked before the last answer little is read, and of
any connection no more in a turn of the loop than leaves others theirs. A refusal never overtakes the answer to an
earlier request.

llhttp (httptools) finds where things begin and end, strictly: no bare LF or CR, no folded lines, no two lengths, no
length beside a transfer coding. What it leaves open is judged in head.py. It cannot ignore an Upgrade, as RFC 9110 7.8
lets every server do: then a new parser is told how the body ends, and no more.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import httptools
from starlette.types import ASGIApp, Scope
from uvicorn.server import ServerState

from services.kernel.web.addresses import sender, sender_of
from services.kernel.web.crowd import Crowd, Room
from services.kernel.web.exchange import HEAD_AT, Exchange, Whole
from services.kernel.web.faults import Fault
from services.kernel.web.head import WATCHED, HeadRefused, framing, target

# Of a head, and of what stands between two parts of a body. Chunks of one byte need six, and no more.
_MOST_BYTES = 64 * 1024
_MOST_HEADERS = 100
# Requests of one connection that wait for their answers. Nobody needs more than one; RFC 9112 9.3.2 allows more.
_MOST_ASKED = 16
# A body that is no longer than this is read to its end after the answer; else the connection ends with the answer.
_MOST_REST_BYTES = 64 * 1024
# Read of one connection in a turn of the loop. libuv reads on in the same turn as long as a read fills the buffer, 32
# times; chunks of one byte in a buffer of uvloop's own size, 256 kB, held up everybody else for 460 ms.
_MOST_A_TURN_BYTES = 32 * 1024
# And then others have the loop so many times as long as those bytes took: chunks of one byte cost a hundred times what
# as many bytes in one piece do.
_OTHERS_SHARE = 4
# A body that is no longer than this is gathered for a door that takes requests as a whole.
_MOST_WHOLE_BYTES = 64 * 1024
_ASGI = {"version": "3.0", "spec_version": "2.3"}


def _nobody(_path: str) -> Whole | None:
    return None


# Nobody keeps what is in it beyond the call that says it was filled.
_buffer = bytearray(_MOST_A_TURN_BYTES)


class HttpConnection(asyncio.BufferedProtocol):
    """One of a `Crowd`; `server` is uvicorn's, which knows it only to say goodbye to it. `whole` names for each path
    who takes its requests as a whole."""

    def __init__(
        self, crowd: Crowd, app: ASGIApp, server: ServerState, whole: Callable[[str], Whole | None] = _nobody
    ) -> None:
        self.room: Room = crowd.head
        self.address = ""
        self.write_paused = False
        self._crowd = crowd
        self._app = app
        self._whole = whole
        self._server = server
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._asked: deque[Exchange] = deque()  # not yet answered; the first one is with the application
        self._reading: Exchange | None = None  # whose body is not yet whole
        self._in_head = True
        self._fed = 0  # bytes since a head or a part of a body began
        self._upgraded = b""  # the field that says how the body of a request to upgrade ends
        self._last = False  # after what was asked so far nothing is answered any more
        self._deaf = False  # what comes is dropped
        self._ended = False  # nothing comes any more
        self._upgrading = False
        self._reading_paused = False  # until an application wants more
        self._turn_is_over = False  # nothing more is read until others had theirs
        self._drained: asyncio.Event | None = None
        self._client: tuple[str, int] | None = None
        self._here: tuple[str, int] | None = None
        self._begin_head()

    # asyncio's side

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._client = _host_and_port(transport.get_extra_info("peername"))
        self._here = _host_and_port(transport.get_extra_info("sockname"))
        self.address = sender(self._client[0]) if self._client else ""
        if self._crowd.admit(self):
            self._server.connections.add(self)  # type: ignore[arg-type]
        else:
            self._deaf = True
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.leave(self)
        self._server.connections.discard(self)
        self._deaf = True
        while self._asked:
            self._drop(self._asked.popleft())
        self._reading = None
        self.resume_writing()
        # It holds seven methods of ours: a cycle that only the collector would end, a thousand at a time, in a hold of
        # the loop as long as a request.
        del self._parser

    def get_buffer(self, sizehint: int) -> bytearray:
        return _buffer

    def buffer_updated(self, nbytes: int) -> None:
        began = time.perf_counter()
        self.read(bytes(memoryview(_buffer)[:nbytes]))
        if nbytes == _MOST_A_TURN_BYTES and not self._reading_paused and not self._transport.is_closing():
            self._turn_is_over = True
            self._transport.pause_reading()
            self._crowd.loop.call_later(_OTHERS_SHARE * (time.perf_counter() - began), self._begin_turn)

    def _begin_turn(self) -> None:
        self._turn_is_over = False
        if not self._reading_paused and not self._transport.is_closing():
            self._transport.resume_reading()

    def read(self, data: bytes) -> None:
        """The next bytes of the connection."""
        if self._deaf:
            return
        if self._asked and self._asked[0] is not self._reading:
            self._pause_reading()  # one part of what is asked too early is read, no more
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on_after_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._stop(error.__context__)
        else:
            if self._fed > _MOST_BYTES:
                self._refuse(Fault.HEAD_TOO_LARGE if self._reading is None else Fault.TOO_MUCH_FRAMING)
        if self._asked and not self._asked[0].begun:
            self._begin(self._asked[0])
        self._settle()

    def _stop(self, cause: BaseException | None) -> None:
        """The parser takes no more: what it was given is refused, or more than will be answered."""
        if self._last and self._reading is None and self._asked:
            self._asked[-1].keep_alive, self._deaf = False, True
        else:
            self._refuse((isinstance(cause, HeadRefused) and cause.fault) or Fault.MALFORMED)

    def eof_received(self) -> bool:
        """Whoever says no more may still wait for the answer to what he asked."""
        self._ended = True
        if self._asked and self._reading is None:
            self._asked[-1].keep_alive, self._deaf = False, True
            return True
        self._end()
        return False

    def pause_writing(self) -> None:
        self.write_paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._drained is not None:
            self._drained.set()

    def shutdown(self) -> None:
        """The server stops: what has begun is answered, and then the connection ends."""
        self._last = True
        if self._asked:
            self._asked[-1].keep_alive = False
        elif not (self.room is self._crowd.head and self._fed):
            self._close()

    # the crowd's side

    def late(self) -> None:
        crowd, room = self._crowd, self.room
        if room is crowd.closing:
            self._abort()
            return
        if room is not crowd.idle:
            crowd.metrics.http_cut.labels(f"late_{room.name}").inc()
        if room is crowd.body:
            exchange = self._asked[0]
            exchange.end_waiting()
            if not exchange.begun:
                self.run(exchange)
            crowd.enter(self, crowd.answering)
        elif room is crowd.answering:
            exchange = self._asked[0]
            self.break_off(exchange, Fault.SLOW_ANSWER)
            if exchange.task:
                exchange.task.cancel()
        else:
            self._close()

    def evict(self) -> None:
        self._abort()

    # llhttp's side

    def on_message_begin(self) -> None:
        if self._upgrading:
            return
        if self._last or len(self._asked) >= _MOST_ASKED:
            self._last = True
            raise HeadRefused
        self._begin_head()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            self._drop_trailer()
            return
        name, value = name.lower(), value.rstrip(b" \t")
        self._headers.append((name, value))
        if len(self._headers) > _MOST_HEADERS:
            raise HeadRefused(Fault.HEAD_TOO_LARGE)
        if name in WATCHED:
            self._watched.append((name, value))

    def on_headers_complete(self) -> None:
        if self._upgrading:
            return
        if self._fed > _MOST_BYTES and self._head_bytes() > _MOST_BYTES:
            raise HeadRefused(Fault.HEAD_TOO_LARGE)
        self._in_head, self._fed = False, 0
        exchange = self._judge()
        self._reading = exchange
        self._asked.append(exchange)

    def on_body(self, body: bytes) -> None:
        self._fed = 0
        exchange = self._reading
        if exchange is not None and not exchange.complete and exchange.add(body):
            self._pause_reading()

    def on_message_complete(self) -> None:
        if self._upgrading or self._reading is None:
            return
        exchange = self._reading
        exchange.end_body()
        if not exchange.begun:
            exchange.scope[HEAD_AT] = time.monotonic()
        self._last = self._last or not exchange.keep_alive
        self._reading, self._fed = None, 0

    # what a head says

    def _begin_head(self) -> None:
        self._in_head = True
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._watched: list[tuple[bytes, bytes]] = []
        self._trailers = 0

    def _head_bytes(self) -> int:
        return len(self._url) + sum(len(name) + len(value) + 4 for name, value in self._headers)

    def _judge(self) -> Exchange:
        """The request that this head begins, or the fault for which it is refused."""
        version = self._parser.get_http_version()
        length, field, expects = framing(self._watched, version)
        exchange = Exchange(self, self._scope(version, self._parser.get_method().decode("ascii")), rest=length)
        exchange.keep_alive = version == "1.1" and not self._last and self._parser.should_keep_alive()
        exchange.expects = expects
        if length <= _MOST_WHOLE_BYTES:
            exchange.whole = self._whole(exchange.scope["path"])
        if self._crowd.limits.proxy_hops:
            self._count_in(exchange)
        if self._parser.should_upgrade():
            self._upgrading, self._upgraded = True, field
        return exchange

    def _count_in(self, exchange: Exchange) -> None:
        """Behind proxies all connections are theirs; what is bounded for each sender is what it asks at once."""
        address = sender_of(exchange.scope, self._crowd.limits.proxy_hops)
        if address and not self._crowd.asks(address):
            raise HeadRefused(Fault.BUSY)
        exchange.address = address

    def _scope(self, version: str, method: str) -> Scope:
        path, query = target(self._url, method)
        text = path.decode("ascii")
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self._here,
            "client": self._client,
            "scheme": "http",
            "root_path": "",
            "method": method,
            "path": unquote(text) if "%" in text else text,
            "raw_path": path,
            "query_string": query,
            "headers": self._headers,
            HEAD_AT: time.monotonic(),
        }

    def _drop_trailer(self) -> None:
        self._trailers += not self._upgrading
        if self._trailers > _MOST_HEADERS:
            raise HeadRefused(Fault.TOO_MUCH_FRAMING)

    def _go_on_after_upgrade(self, data: bytes) -> None:
        """The old parser takes what follows for another protocol, the new one for the body."""
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%s\r\n" % self._upgraded)
        self._upgrading = False
        if self._reading is not None and not self._reading.rest:
            self.on_message_complete()
        self._fed = 0
        if data:
            self.read(data)

    # the exchanges' side

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    async def drained(self) -> None:
        """Return once the sender has read most of what was written to him, or is gone."""
        while self.write_paused:
            if self._drained is None:
                self._drained = asyncio.Event()
            self._drained.clear()
            await self._drained.wait()

    def date(self) -> bytes:
        return _date.lines(self._server.default_headers)

    def reads_rest_of(self, exchange: Exchange) -> bool:
        """Whether what is left of its body will be read once it is answered."""
        return not exchange.expects and exchange.rest <= _MOST_REST_BYTES

    def resume_reading(self) -> None:
        if self._reading_paused and not self._transport.is_closing():
            self._reading_paused = False
            if not self._turn_is_over:
                self._transport.resume_reading()

    def answered(self, exchange: Exchange) -> None:
        """The first one is answered: the next one's turn, or the end."""
        self._asked.popleft()
        self._give_back(exchange)
        self._server.total_requests += 1
        if not exchange.keep_alive:
            self._end()
            return
        if self._asked:
            self._begin(self._asked[0])
        else:
            self.resume_reading()
        self._settle()

    def break_off(self, exchange: Exchange, fault: Fault) -> None:
        """The first one's answer failed: it ends with the fault, or in the middle, and so does the connection."""
        self._count(fault)
        self._asked.remove(exchange)
        self._drop(exchange)
        if exchange.written:
            self._abort()
        else:
            self._transport.write(fault.answer)
            self._end()

    # how it ends

    def _refuse(self, fault: Fault) -> None:
        """What is being read cannot be taken. Whoever asked before is answered first; then the connection ends."""
        self._count(fault)
        self._deaf = True
        broken, self._reading = self._reading, None
        if broken is not None and broken.written:
            if broken.complete:
                self._end()
            else:
                self._abort()
            return
        if broken is not None:
            self._asked.remove(broken)
            self._drop(broken)
        if self._asked:
            self._asked[-1].keep_alive = False
        else:
            self._transport.write(fault.answer)
            self._end()

    def _end(self) -> None:
        """The last answer is written. Were anything left unread, closing would reset the connection under it."""
        for exchange in self._asked:
            self._drop(exchange)
        self._asked.clear()
        if self._ended or (self._reading is None and not self._deaf):
            self._close()
            return
        self._deaf, self._reading = True, None
        self.resume_reading()
        if self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()
        self._crowd.enter(self, self._crowd.rest)

    def _close(self) -> None:
        self._deaf = True
        self._transport.close()
        self._crowd.enter(self, self._crowd.closing)

    def _abort(self) -> None:
        self._deaf = True
        self._transport.abort()
        self._crowd.leave(self)

    def _drop(self, exchange: Exchange) -> None:
        exchange.lose()
        self._give_back(exchange)

    def _give_back(self, exchange: Exchange) -> None:
        if exchange.address:
            self._crowd.answered(exchange.address)

    def _count(self, fault: Fault) -> None:
        self._crowd.metrics.http_faults.labels(fault.reason).inc()

    def _settle(self) -> None:
        """Go to the room where it now belongs."""
        crowd, room = self._crowd, self.room
        if self._asked:
            first = self._asked[0]
            room = crowd.body if first is self._reading and not first.late else crowd.answering
        elif self._deaf:
            return
        elif self._reading is not None:
            room = crowd.rest
        elif self._in_head:
            room = crowd.head
        elif self._last:
            self._close()
            return
        else:
            room = crowd.idle
        if room is not self.room:
            crowd.enter(self, room)

    def _pause_reading(self) -> None:
        if not self._reading_paused and not self._transport.is_closing():
            self._reading_paused = True
            if not self._turn_is_over:
                self._transport.pause_reading()

    def _begin(self, exchange: Exchange) -> None:
        """Its turn has come: somebody answers it, or a little more of it is waited for."""
        if exchange.whole is None or exchange.expects or self.write_paused:
            self.run(exchange)
        elif not exchange.more_body:
            exchange.begun = True
            if not exchange.whole(exchange):
                self.run(exchange)

    def run(self, exchange: Exchange) -> None:
        """Hand it to the application."""
        exchange.begun = True
        exchange.task = task = self._crowd.loop.create_task(exchange.run(self._app))
        task.add_done_callback(self._server.tasks.discard)
        self._server.tasks.add(task)


class _Date:
    """The lines that every answer has: uvicorn makes its fields anew each second, as a new list."""

    def __init__(self) -> None:
        self._fields: list[tuple[bytes, bytes]] | None = None
        self._lines = b""

    def lines(self, fields: list[tuple[bytes, bytes]]) -> bytes:
        if fields is not self._fields:
            self._fields, self._lines = fields, b"".join([b"%s: %s\r\n" % field for field in fields])
        return self._lines


_date = _Date()


def _host_and_port(name: Any) -> tuple[str, int] | None:
    """As ASGI wants it; IPv6 has two more, a Unix socket none."""
    return (name[0], name[1]) if isinstance(name, tuple) else None
