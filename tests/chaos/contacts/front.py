"""A Chatwoot on a port of its own that misbehaves on demand, and remembers who called when."""

import asyncio
import contextlib
import re
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import httpx

from local.chatwoot import seed
from local.chatwoot.app import app
from local.chatwoot.double import Double
from tests.services.attached import ACCOUNT_ID, TOKEN

_SILENCE_SECONDS = 30.0
_HTML = b"<html>We are down for maintenance</html>"
# What happens to a call before Chatwoot has heard of it, and what after it has done as it was told.
UNHEARD = ("429", "500", "502", "reset", "html", "silence")
DONE = ("reset afterwards", "half body")
FAULTS = (*UNHEARD, *DONE)


@dataclass
class FrontCall:
    """One call; seconds of this machine's monotonic clock."""

    sender: str
    method: str
    path: str
    begun: float
    ended: float = 0.0
    fault: str | None = None


@dataclass
class Front:
    """`fault` says what becomes of each call; `held` makes it wait, `before` or `after` Chatwoot has heard it."""

    double: Double = field(default_factory=Double)
    calls: list[FrontCall] = field(default_factory=list)
    fault: Callable[[], str | None] = lambda: None
    seconds: float = 0.005  # that each answer takes
    held: str | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)  # a call waits
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    base_url: str = ""

    def __post_init__(self) -> None:
        seed.add_account(self.double, ACCOUNT_ID, token=TOKEN)
        self._inside = httpx.ASGITransport(app(self.double))
        self._callers: set[asyncio.StreamWriter] = set()

    def customer(self, number: int) -> None:
        """Contact `number` is the customer of that number."""
        seed.add_contact(self.double, self.double.state.accounts[ACCOUNT_ID], id=number, identifier=f"c{number}")

    def held_by(self, number: int, key: str = "order_count") -> object:
        """What Chatwoot shows of a contact."""
        return self.double.state.contacts[ACCOUNT_ID][number].custom_attributes.get(key)

    def hold(self, when: str | None) -> None:
        self.held = when
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["Front"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield self
            self.go_on.set()
            server.close()
            for writer in self._callers:  # of processes that were killed, or keep it for their next call
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._callers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                pass
        self._callers.discard(writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One call; whether the connection may bear another."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, path, _ = head.split(" ", 2)
        length = re.search(r"(?i)\r\ncontent-length: *(\d+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        sender = re.search(r"(?i)\r\nx-sender: *(\d+)", head)
        call = FrontCall(sender[1] if sender else "", method, path, time.monotonic(), fault=self.fault())
        self.calls.append(call)
        try:
            return await self._play(call, head, body, writer)
        finally:
            call.ended = time.monotonic()

    async def _play(self, call: FrontCall, head: str, body: bytes, writer: asyncio.StreamWriter) -> bool:
        await self._held("before")
        await asyncio.sleep(self.seconds)
        if call.fault in UNHEARD:
            return await _unheard(call.fault, writer)
        request = httpx.Request(call.method, self.base_url + call.path, headers=_headers(head), content=body)
        answer = await self._inside.handle_async_request(request)
        content = await answer.aread()
        await self._held("after")
        if call.fault == "reset afterwards":
            return _reset(writer)
        whole = _http(answer.status_code, answer.headers.get("content-type", "application/json"), content)
        writer.write(whole[: len(whole) - len(content) // 2] if call.fault == "half body" else whole)
        await writer.drain()
        return call.fault is None

    async def _held(self, when: str) -> None:
        if self.held == when:
            self.reached.set()
            await self.go_on.wait()


async def _unheard(fault: str, writer: asyncio.StreamWriter) -> bool:
    if fault == "silence":
        await asyncio.sleep(_SILENCE_SECONDS)
        return False
    if fault == "reset":
        return _reset(writer)
    if fault == "html":
        writer.write(_http(200, "text/html", _HTML))
    elif fault == "429":
        writer.write(_http(429, "text/plain", b"Retry later\n"))
    else:
        writer.write(_http(int(fault), "text/html", _HTML))
    await writer.drain()
    return True


def _reset(writer: asyncio.StreamWriter) -> bool:
    """RST and not FIN: what the client sees where a proxy dies."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


def _http(status: int, kind: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def _headers(head: str) -> list[tuple[str, str]]:
    lines = [line.split(":", 1) for line in head.split("\r\n")[1:] if ":" in line]
    return [(name.strip(), value.strip()) for name, value in lines]
