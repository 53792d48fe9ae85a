"""The clock's wait: over with its time or with the first of its events, and nothing left behind."""

import asyncio

from services.kernel import Clock


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
