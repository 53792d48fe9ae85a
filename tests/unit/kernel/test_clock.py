"""The clock's wait: over with its time or with the first of its events, and nothing left behind; a schedule's end."""

import asyncio

from services.kernel import Clock
from services.kernel.clock import Schedule


class Still(Clock):
    """A clock whose sleep ends only by being cancelled."""

    cancelled = False

    async def sleep(self, seconds: float) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def test_a_wait_ends_with_the_first_of_its_events() -> None:
    clock, never, event = Still(), asyncio.Event(), asyncio.Event()
    waiting = asyncio.ensure_future(clock.wait(60, never, event))
    event.set()
    await asyncio.wait_for(waiting, 10)
    await asyncio.sleep(0)
    assert clock.cancelled


async def test_a_wait_ends_with_its_time_though_nothing_happens() -> None:
    await asyncio.wait_for(Clock().wait(0.01, asyncio.Event()), 10)


def test_a_schedule_ends_with_its_last_pause_repeated() -> None:
    schedule = Schedule((0.5, 2.0, 60.0))
    assert [schedule.after(earlier) for earlier in range(5)] == [0.5, 2.0, 60.0, 60.0, 60.0]
