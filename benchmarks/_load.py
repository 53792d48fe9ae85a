"""Load over raw keep-alive connections: as fast as it goes, or at a rate with each answer's waiting time."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack

from tests.services.ingress.wire import Wire, wire

_CONNECTIONS = 64


class RefusedLoad(Exception):
    """An answer was not 204: what would be measured is not what is meant."""


async def throughput(address: str, requests: Sequence[bytes]) -> float:
    """Requests a second with as many connections as 64, each asking again once it is answered."""
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(wire(address)) for _ in range(_CONNECTIONS)]
        left = iter(requests)
        began = time.perf_counter()
        await asyncio.gather(*(_ask_all(line, left) for line in lines))
        return len(requests) / (time.perf_counter() - began)


async def waits(address: str, requests: Sequence[bytes], *, rate: float) -> list[float]:
    """Seconds of each, from when its turn came; a late server makes the following wait, too."""
    waited: list[float] = []
    async with AsyncExitStack() as stack:
        lines: asyncio.Queue[Wire] = asyncio.Queue()
        for _ in range(_CONNECTIONS):
            lines.put_nowait(await stack.enter_async_context(wire(address)))
        async with asyncio.TaskGroup() as group:
            began = time.perf_counter()
            for number, one in enumerate(requests):
                due = began + number / rate
                if (early := due - time.perf_counter()) > 0:
                    await asyncio.sleep(early)
                group.create_task(_timed(lines, one, due, waited))
    return sorted(waited)


async def _ask_all(line: Wire, left: Iterator[bytes]) -> None:
    for one in left:
        await _ask(line, one)


async def _timed(lines: "asyncio.Queue[Wire]", one: bytes, due: float, waited: list[float]) -> None:
    line = await lines.get()
    await _ask(line, one)
    waited.append(time.perf_counter() - due)
    lines.put_nowait(line)


async def _ask(line: Wire, one: bytes) -> None:
    status, body = await line.ask(one)
    if status != 204:
        raise RefusedLoad(f"answered {status}: {body[:200]!r}")
