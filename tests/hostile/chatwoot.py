"""A Chatwoot that means harm: below each path prefix it answers in another way. What is in ANSWERS is tried."""

import asyncio
import contextlib
import re
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from zlib import crc32

from tests.hostile.values import text

_BOMB_BYTES = 600 * 2**20  # twice what the system may hold
_BLOCK_BYTES = 8 * 2**20
_DRIP_SECONDS = 0.2
_LONGEST_HOLD_SECONDS = 60.0


class Asked(NamedTuple):
    """One call of the system's."""

    answer: str  # the way in which this Chatwoot answers
    method: str
    path: str
    body: bytes


Answer = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


def contact(asked: Asked, **odd: Any) -> bytes:
    """What was asked for, but for what is odd: the customer is known, and nothing that was set is there."""
    named = re.search(rb"victim-[0-9a-f]+", asked.body)
    identifier = named[0].decode() if named else None
    number = re.search(r"/contacts/(\d+)", asked.path)
    one = {"id": int(number[1]) if number else crc32((identifier or "").encode()) % 10**6, "identifier": identifier}
    shown = {k: v for k, v in (one | {"email": None, "custom_attributes": {}} | odd).items() if k != "identifier" or v}
    if asked.path.endswith("/filter"):
        return text({"meta": {"count": 1}, "payload": [shown]})
    return text({"payload": shown if number else {"contact": shown}})


def http(body: bytes, status: int | str = 200, kind: str = "application/json", *more: str) -> bytes:
    lines = [
        f"HTTP/1.1 {status} X",
        f"content-type: {kind}",
        f"content-length: {len(body)}",
        "connection: close",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def odd(**fields: Any) -> Answer:
    """The contact, but with these fields."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(http(contact(asked, **fields)))

    return answer


def fixed(raw: bytes) -> Answer:
    async def answer(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return answer


def endless(head: bytes, part: bytes, *, seconds: float = 0) -> Answer:
    """The same part again and again, with a pause between, until the system hangs up."""

    async def answer(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        async with asyncio.timeout(_LONGEST_HOLD_SECONDS):
            while True:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(seconds)

    return answer


async def silence(_asked: Asked, _writer: asyncio.StreamWriter) -> None:
    """Nothing at all, for as long as the system waits."""
    await asyncio.sleep(_LONGEST_HOLD_SECONDS)


async def bomb(_asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Half a megabyte of gzip that becomes hundreds: blocks that need nothing of those before them, so made once."""
    packer = zlib.compressobj(9, wbits=31)
    head = packer.compress(b'{"payload":[') + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b" " * _BLOCK_BYTES) + packer.flush(zlib.Z_FULL_FLUSH)
    body = head + block * (_BOMB_BYTES // _BLOCK_BYTES)
    writer.write(http(body, 200, "application/json", "content-encoding: gzip"))


_OK = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_CHUNKED = f"{_OK}transfer-encoding: chunked\r\n\r\n".encode()
_MEGABYTE = b"100000\r\n" + b" " * 2**20 + b"\r\n"

ANSWERS: dict[str, Answer] = {
    # contacts with something odd in them
    "honest-enough": odd(),
    "wide-number": odd(custom_attributes={"loyalty_points": "@wide"}),
    "huge-number": odd(custom_attributes={"n": "@huge"}),
    "infinite-number": odd(custom_attributes={"n": "@infinite"}),
    "many-digits": odd(custom_attributes={"n": "@many-digits"}),
    "nul-in-attribute": odd(custom_attributes={"a": "@nul", "order_count": "@nul"}),
    "nul-in-key": odd(custom_attributes={"a\0b": 1}),
    "nul-in-name": odd(email="@nul", phone_number="@nul", identifier="@nul"),
    "half-emoji": odd(custom_attributes={"a": "@surrogate"}),
    "half-emoji-in-name": odd(email="@surrogate"),
    "deep-attributes": odd(custom_attributes={"a": "@deep"}),
    "nested-attributes": odd(custom_attributes={"a": "@nested"}),
    "many-attributes": odd(custom_attributes={f"a{number}": number for number in range(50_000)}),
    "long-attribute": odd(custom_attributes={"a": "x" * 4 * 2**20}),
    "attributes-are-a-list": odd(custom_attributes=[1, 2]),
    "attributes-are-text": odd(custom_attributes="x"),
    "wide-id": odd(id="@wide"),
    "big-id": odd(id=2**63),
    "above-integer-id": odd(id=2**31),
    "negative-id": odd(id=-1),
    "text-id": odd(id="../../../"),
    "no-id": odd(id=None),
    "identifier-is-a-list": odd(identifier=[1]),
    "long-names": odd(email="x" * 2**20, phone_number="+" * 2**20),
    # bodies that are none
    "empty": fixed(http(b"")),
    "html": fixed(http(b"<html>maintenance</html>", 200, "text/html")),
    "html-said-to-be-json": fixed(http(b"<html>maintenance</html>")),
    "null": fixed(http(b"null")),
    "number": fixed(http(b"1" * 5000)),
    "list": fixed(http(b"[" + b"{}," * 50_000 + b"{}]")),
    "deep": fixed(http(b"[" * 200_000)),
    "not-utf-8": fixed(http(b'{"payload":"\xff\xfe"}')),
    "two-payloads": fixed(http(b'{"payload":[],"payload":{"id":1}}')),
    "many-contacts": fixed(http(b'{"payload":[' + b'{"id":1,"email":"a@b.c"},' * 50_000 + b'{"id":2}]}')),
    "bomb": bomb,
    "broken-gzip": fixed(http(b"\x1f\x8bnot", 200, "application/json", "content-encoding: gzip")),
    "unknown-encoding": fixed(http(b"\0" * 100, 200, "application/json", "content-encoding: br, zstd, x")),
    # statuses
    "no-content": fixed(http(b"", 204)),
    "unauthorised": fixed(http(b'{"errors":["no"]}', 401)),
    "not-found": fixed(http(b"<html>", 404, "text/html")),
    "unprocessable": fixed(http(b'{"attributes":[1,null,{"a":2}],"message":["\\u0000"]}', 422)),
    "too-many": fixed(http(b"Retry later", 429, "text/plain", "retry-after: 99999999999999999999")),
    "server-error": fixed(http(b"x" * 2**20, 500)),
    "status-99999": fixed(http(b"{}", 99999)),
    "status-text": fixed(http(b"{}", "ok")),
    "redirect-to-itself": fixed(http(b"", 302, "text/html", "location: /redirect-to-itself")),
    "redirect-inside": fixed(http(b"", 308, "text/html", "location: http://169.254.169.254/latest/meta-data/")),
    "cookies": fixed(http(b"null", 200, "application/json", *(f"set-cookie: a{n}={'x' * 4000}" for n in range(10)))),
    # wires
    "silence": silence,
    "hang-up": fixed(b""),
    "garbage": fixed(b"\x16\x03\x01\x02\x00" * 100),
    "truncated": fixed(f"{_OK}content-length: 1000000\r\n\r\n{{".encode()),
    "content-length-of-20-digits": fixed(f"{_OK}content-length: {10**20}\r\n\r\n".encode()),
    "two-content-lengths": fixed(f"{_OK}content-length: 2\r\ncontent-length: 4\r\n\r\nnull".encode()),
    "half-a-head": fixed(b"HTTP/1.1 200 OK\r\ncontent-ty"),
    "endless-continue": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "endless-head": endless(b"HTTP/1.1 200 OK\r\n", b"x-a: " + b"a" * 1000 + b"\r\n"),
    "endless-body": endless(_CHUNKED, _MEGABYTE),
    "endless-chunk-head": endless(_CHUNKED, b"0" * 1000),
    "dripping-body": endless(_CHUNKED, b"1\r\n \r\n", seconds=_DRIP_SECONDS),
    "dripping-head": endless(b"HTTP/1.1 200 OK\r\nx: ", b"a", seconds=_DRIP_SECONDS),
    "switching-protocols": fixed(b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\n\r\n" + b"\0" * 1000),
}


class Chatwoot:
    """Counts the calls of each way: an act may wait for its own."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._called = asyncio.Condition()

    async def is_called(self, answer: str, times: int) -> None:
        """Return when it was called so often."""
        async with self._called:
            await self._called.wait_for(lambda: self.calls[answer] >= times)

    @asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        async with server:
            yield
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            asked = await _read(reader)
            async with self._called:
                self.calls[asked.answer] += 1
                self._called.notify_all()
            await ANSWERS[asked.answer](asked, writer)
            await writer.drain()
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    method, target, _ = head.split(" ", 2)
    length = re.search(r"(?i)\r\ncontent-length: *(\d+)", head)
    body = await reader.readexactly(int(length[1])) if length else b""
    _, answer, *_ = target.split("/")
    return Asked(answer, method, target, body)
