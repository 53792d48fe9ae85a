"""Names that are not known here: looked up all together, at most once a second, each after it was asked for.

A name is unknown only if a look that began after the request came has not found it: its store may have been attached a
moment ago. Whoever invents names costs PostgreSQL one query a second, and can hold but so many requests for so long.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

from services.ingress.doors.refusals import Reason, Refused
from services.kernel import Clock

_PAUSE_SECONDS = 1.0
_WAIT_SECONDS = 3.0  # the pause and the query; Chatwoot itself waits 5


@dataclass(slots=True)
class _Look:
    names: set[str] = field(default_factory=set)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    answered: bool = False


class Lookup:
    """`look` reads these names, takes what it finds, and says whether PostgreSQL answered."""

    def __init__(self, clock: Clock, look: Callable[[Collection[str]], Awaitable[bool]], *, most: int) -> None:
        self._clock = clock
        self._look = look
        self._most = most
        self._next = _Look()
        self._waiting = 0
        self._began_at = float("-inf")
        self._turning: asyncio.Task[None] | None = None

    async def wait(self, name: str, deadline: float) -> None:
        """Return after a look that began later than now. Raises Refused: none was made in time, or too many wait."""
        if self._waiting >= self._most or not self.ask(name):
            raise Refused(Reason.NOT_LOOKED_UP)
        look, now = self._next, self._clock.monotonic()
        self._waiting += 1
        try:
            async with asyncio.timeout(min(_WAIT_SECONDS, deadline - now)):
                await look.over.wait()
        except TimeoutError as late:
            raise Refused(Reason.NOT_LOOKED_UP) from late
        finally:
            self._waiting -= 1
        if not look.answered:
            raise Refused(Reason.NOT_LOOKED_UP)

    def ask(self, name: str) -> bool:
        """Have it looked up without waiting; False if too many names are asked for already."""
        names = self._next.names
        if len(names) >= self._most and name not in names:
            return False
        names.add(name)
        if self._turning is None or self._turning.done():
            self._turning = asyncio.create_task(self._turn(), name="lookup")
        return True

    async def _turn(self) -> None:
        while self._next.names:
            await self._clock.sleep(max(0.0, self._began_at + _PAUSE_SECONDS - self._clock.monotonic()))
            self._began_at = self._clock.monotonic()
            look, self._next = self._next, _Look()
            try:
                look.answered = await self._look(look.names)
            finally:
                look.over.set()

    async def close(self) -> None:
        """Who still waits is answered that nobody looked."""
        if self._turning:
            self._turning.cancel()
            await asyncio.gather(self._turning, return_exceptions=True)
        self._next.over.set()
