"""Time as a dependency: tests hand in a clock that does not wait; and how long to wait after each failure, as data."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime


class Clock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The moment, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only grow; for deadlines."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def wait(self, seconds: float, *events: asyncio.Event) -> None:
        """Sleep, but no longer than until one of the events is set."""
        waits = [asyncio.ensure_future(self.sleep(seconds)), *(asyncio.ensure_future(one.wait()) for one in events)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()


@dataclass(frozen=True, slots=True)
class Schedule:
    """How many seconds to wait after the first failure in a row, the second, and so on; the last one repeats."""

    seconds: tuple[float, ...]

    def after(self, earlier: int) -> float:
        """After a failure that so many came before."""
        return self.seconds[min(earlier, len(self.seconds) - 1)]
