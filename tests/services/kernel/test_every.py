"""Repeated work that one process of all does: many such works share a process's few connections."""

import asyncio

import pytest

from services.kernel import Clock, Process, Settings
from services.kernel.every import every
from tests.eventually import eventually

_WORKS = 20  # more than a pool has connections
_DAY_SECONDS = 86_400.0


class Noting(Clock):
    """Does not wait for what is longer than a test, and keeps how long it was."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(min(seconds, 0.01))


async def test_works_that_are_done_alone_do_not_take_each_others_connections(settings: Settings) -> None:
    """Each holds one for its lock and needs another to work with."""
    process = Process(settings, Clock())
    done = set[int]()

    def work_of(number: int) -> None:
        async def work() -> bool:
            async with process.pool().acquire(timeout=5) as conn:
                done.add(await conn.fetchval("select $1::int", number))
            return False

        every(process, work, name=f"work {number} of {id(done)}", seconds=0.01, alone=True)

    for number in range(_WORKS):
        work_of(number)
    serving = asyncio.create_task(process.serve())
    await eventually(lambda: len(done) == _WORKS)
    process.stopping.set()
    assert await serving == 0


async def test_what_is_not_needed_delays_nothing_that_is(settings: Settings) -> None:
    """Its turn may take hours: a call a second for each of a store's old conversations."""
    process, done, slow = Process(settings, Clock()), asyncio.Event(), 0

    async def long_work() -> bool:
        nonlocal slow
        slow += 1
        await process.stopping.wait()
        return False

    async def needed_work() -> bool:
        if slow:
            done.set()
        return False

    for number in range(_WORKS):
        every(process, long_work, name=f"slow {number} of {id(done)}", seconds=0.01, alone=True, needed=False)
    every(process, needed_work, name=f"needed {id(done)}", seconds=0.01, alone=True)
    serving = asyncio.create_task(process.serve())
    await eventually(done.is_set)
    assert slow == 1
    process.stopping.set()
    assert await serving == 0


@pytest.mark.parametrize("fault", [TimeoutError, ValueError], ids=["of a server", "of ours"])
async def test_work_of_once_a_day_that_failed_is_not_put_off_for_a_day(
    fault: type[Exception], settings: Settings
) -> None:
    clock, tries, slept = Noting(), 0, list[float]()
    process = Process(settings, clock)

    async def work() -> bool:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise fault
        slept.extend(clock.slept)
        process.stopping.set()
        return False

    every(process, work, name=f"daily {id(clock)}", seconds=_DAY_SECONDS)
    assert await process.serve() == 0
    assert tries == 2
    assert 2.0 in slept
    assert _DAY_SECONDS not in slept
