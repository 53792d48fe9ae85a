"""Signed webhooks through nginx or straight to the doors, at a rate, and how long each waited."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import orjson

from local.stack.machine.ports import HOST
from tests.edge.real_nginx import NAME, Edge
from tests.services.attached import ACCOUNT_ID
from tests.services.ingress.bench import Shop, signed
from tests.services.ingress.wire import Wire

NUMBERS = itertools.count(1)  # of the messages made here
_LINES = 64


@asynccontextmanager
async def wires(to: Edge | Sequence[int]) -> AsyncIterator[list[Wire]]:
    """Kept connections: over TLS to nginx, or straight to ingresses at these ports, as many to each."""
    if isinstance(to, Edge):
        over_tls = {"ssl": to.context(), "server_hostname": NAME}
        opened = [await asyncio.open_connection(HOST, to.port, **over_tls) for _ in range(_LINES)]  # type: ignore[arg-type]
    else:
        opened = [await asyncio.open_connection(HOST, to[number % len(to)]) for number in range(_LINES)]
    yield [Wire(*one) for one in opened]
    for _, writer in opened:
        hang_up(writer)


def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    writer.transport.abort()


async def waited(lines: Sequence[Wire], requests: Sequence[bytes], rate: float) -> list[float]:
    """Milliseconds of each from when its turn came, at so many a second; a late server lets the following wait, too."""
    free: asyncio.Queue[Wire] = asyncio.Queue()
    for line in lines:
        free.put_nowait(line)
    found: list[float] = []

    async def ask(request: bytes, due: float) -> None:
        line = await free.get()
        status, _ = await line.ask(request)
        assert status == 204, status
        found.append(1000 * (time.perf_counter() - due))
        free.put_nowait(line)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(requests):
            due = began + number / rate
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            group.create_task(ask(request, due))
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
