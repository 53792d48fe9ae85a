"""Signed webhooks through nginx or straight to the doors, at a rate, and how long each waited."""

import asyncio
import itertools
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import orjson

from local.stack.machine.ports import HOST
from tests.edge.real_nginx import NAME, Edge
from tests.eventually import PATIENCE_SECONDS
from tests.services.attached import ACCOUNT_ID
from tests.services.ingress.bench import Shop, signed

NUMBERS = itertools.count(1)  # of the messages made here
_LINES = 64


class KeptLine(asyncio.Protocol):
    """A kept connection that says one request at a time. As little as can be between the socket and the clock: on two
    cores whoever asks takes from whoever answers."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[float] | None = None
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, request: bytes) -> asyncio.Future[float]:
        """When the 204 was there, by time.perf_counter."""
        assert self._transport
        self._answered = asyncio.get_running_loop().create_future()
        if self._transport.is_closing():
            self._answered.set_exception(ConnectionResetError())
        else:
            self._transport.write(request)
        return self._answered

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if b"\r\n\r\n" not in self._seen:
            return
        said, self._seen = self._seen, b""
        if self._answered and not self._answered.done():
            if said.startswith(b"HTTP/1.1 204 "):
                self._answered.set_result(time.perf_counter())
            else:
                self._answered.set_exception(AssertionError(said))

    def connection_lost(self, reason: Exception | None) -> None:
        if self._answered and not self._answered.done():
            self._answered.set_exception(reason or ConnectionResetError())

    def hang_up(self) -> None:
        if self._transport:
            self._transport.abort()


@asynccontextmanager
async def kept_lines(to: Edge | Sequence[int]) -> AsyncIterator[list[KeptLine]]:
    """Over TLS to nginx, or straight to ingresses at these ports, as many to each."""
    loop, lines = asyncio.get_running_loop(), list[KeptLine]()
    for number in range(_LINES):
        if isinstance(to, Edge):
            _, line = await loop.create_connection(KeptLine, HOST, to.port, ssl=to.context(), server_hostname=NAME)
        else:
            _, line = await loop.create_connection(KeptLine, HOST, to[number % len(to)])
        lines.append(line)
    try:
        yield lines
    finally:
        for line in lines:
            line.hang_up()


async def waited(lines: Sequence[KeptLine], requests: Sequence[bytes], rate: float) -> list[float]:
    """Milliseconds of each from when its turn came, at so many a second; a late server lets the following wait, too."""
    free, found, all_there = deque(lines), list[float](), asyncio.Event()
    waiting = deque[tuple[bytes, float]]()

    def ask(line: KeptLine, request: bytes, due: float) -> None:
        line.ask(request).add_done_callback(partial(answered, line, due))

    def answered(line: KeptLine, due: float, when: asyncio.Future[float]) -> None:
        found.append(1000 * (when.result() - due) if not when.exception() else math.inf)
        if waiting:
            ask(line, *waiting.popleft())
        else:
            free.append(line)
        if len(found) == len(requests):
            all_there.set()

    began = time.perf_counter()
    for number, request in enumerate(requests):
        due = began + number / rate
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        if free:
            ask(free.popleft(), request, due)
        else:
            waiting.append((request, due))
    await asyncio.wait_for(all_there.wait(), PATIENCE_SECONDS)
    assert math.inf not in found, f"{found.count(math.inf)} of {len(found)} were not answered 204"
    return found


def message() -> bytes:
    """A message that was not there before."""
    number, at = next(NUMBERS), datetime.now(UTC).isoformat()
    return orjson.dumps({
        "event": "message_created", "id": number, "content": "hello", "message_type": "incoming", "private": False,
        "created_at": at, "account": {"id": ACCOUNT_ID}, "conversation": {"id": number % 500 + 1},
    })  # fmt: skip


def webhooks(shop: Shop, count: int) -> list[bytes]:
    """Whole requests, signed now."""
    now, found = datetime.now(UTC), []
    for _ in range(count):
        body = message()
        lines = [f"POST {shop.door} HTTP/1.1", f"host: {NAME}", f"content-length: {len(body)}"]
        lines += [f"{key}: {value}" for key, value in signed(shop, body, at=now).items()]
        found.append("\r\n".join([*lines, "", ""]).encode() + body)
    return found
