"""Health: /live knows a stuck handler from one that waits, /ready knows when to send traffic, a still loop is told."""

import asyncio
import threading
import time
from collections.abc import Collection, Sequence
from typing import Any

import httpx
import pytest
import structlog

from db.pool import Connection
from services.kernel import Process, Record, Retryable
from services.kernel.telemetry.watchdog import Watchdog
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.kernel_bench import Ahead, Bench, Number


async def _get(process: Process, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(process.site), base_url="http://process") as client:
        return await client.get(path)


async def test_a_transaction_that_does_not_end_is_not_alive_until_it_does(bench: Bench) -> None:
    clock, begun, go_on = Ahead(), asyncio.Event(), asyncio.Event()

    async def stuck(conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        begun.set()
        await go_on.wait()
        return await bench.apply(conn, events)

    async with bench.consuming(apply=stuck, clock=clock) as process:
        await bench.send([1])
        await begun.wait()
        before = await _get(process, "/live")
        clock.seconds += 61
        during = await _get(process, "/live")
        go_on.set()
        await bench.until("applied", 1)
        await eventually(lambda: _answers(process, "/live", 200))
    assert (before.status_code, during.status_code) == (200, 503)
    assert f"{bench.group} has not finished a transaction on {bench.topic.name} for 60 s" in during.text


async def test_a_handler_that_waits_for_the_world_is_alive(bench: Bench) -> None:
    waits = asyncio.Event()

    class Waits(Ahead):
        async def wait(self, seconds: float, *events: asyncio.Event) -> None:
            if tried.is_set():
                waits.set()
                await events[0].wait()
            await super().wait(seconds, *events)

    tried = asyncio.Event()

    async def never(_conn: Connection, _events: Sequence[Number]) -> Collection[Record]:
        tried.set()
        raise Retryable("not yet")

    clock = Waits()
    async with bench.consuming(apply=never, clock=clock) as process:
        await bench.send([1])
        await waits.wait()
        clock.seconds += 3600
        assert (await _get(process, "/live")).status_code == 200


async def test_a_process_is_ready_once_it_consumes_and_no_longer_when_it_stops(bench: Bench) -> None:
    async with bench.consuming() as process:
        await eventually(lambda: _answers(process, "/ready", 200))
        process.stopping.set()
        await eventually(lambda: _answers(process, "/ready", 503))


async def _answers(process: Process, path: str, status: int) -> bool:
    return (await _get(process, path)).status_code == status


async def test_a_loop_that_stands_still_is_told_with_its_stack_and_only_once() -> None:
    logged: list[dict[str, Any]] = []
    heard = threading.Event()

    def hear(_logger: Any, _method: str, event: Any) -> Any:
        logged.append(dict(event))
        # Without this frame, it was the machine that stood still.
        if any("blocks_the_loop" in frame for frame in event.get("frames", ())):
            heard.set()
        raise structlog.DropEvent

    def blocks_the_loop() -> None:
        assert heard.wait(PATIENCE_SECONDS)

    structlog.configure(processors=[hear])
    with Watchdog(still_seconds=0.05):
        await asyncio.sleep(0)
        blocks_the_loop()
        await eventually(lambda: logged[-1]["event"] == "loop_turns_again")
    assert [one["event"] for one in logged] == ["loop_stands_still", "loop_turns_again"] * (len(logged) // 2)


async def test_a_watch_that_ends_while_it_waits_for_the_loop_ends() -> None:
    for _ in range(20):
        with Watchdog(still_seconds=0.001) as watchdog:
            time.sleep(0.003)  # noqa: ASYNC251  the loop does not turn, and the watchdog is waiting for it
        assert not watchdog._thread.is_alive()


@pytest.mark.parametrize("path", ["/live", "/metrics"])
async def test_a_process_without_consumers_answers(bench: Bench, path: str) -> None:
    process = Process(bench.settings)
    assert (await _get(process, path)).status_code == 200
    await process.chatwoot.close()
