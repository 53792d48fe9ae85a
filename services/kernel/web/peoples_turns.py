"""How much people ask at once, and how often: stores' own people, who share connections with what all stores wait for.

A report reads a store's figures for as long as that store is large. Somebody who asks for five hundred at once would
have all connections of a process that also keeps every store's webhooks. So each person is answered one request after
the other, and few people at a time, in the order in which they came; of the people of the same stores never as many as
there may be, so that they keep nobody else waiting, however many they are.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID
from weakref import WeakValueDictionary

from services.kernel.clock import Clock

_AT_ONCE = 3  # of a process's eight connections
_OF_SAME_STORES = 2
_WAIT_SECONDS = 10.0
_MINUTE_SECONDS = 60
# Each is a line of the audit log, which nobody may shorten for two years.
MOST_A_MINUTE = 300
AsksStores = Callable[[UUID], Awaitable[frozenset[UUID]]]


class NoTurn(Exception):
    """It is not answered now: with this status and sentence."""

    def __init__(self, status: int, sentence: str, retry_seconds: int) -> None:
        super().__init__(sentence)
        self.status = status
        self.retry_after = str(retry_seconds)


class PeoplesTurns:
    """One for a process."""

    def __init__(self, clock: Clock, stores_of: AsksStores) -> None:
        self._clock = clock
        self._stores_of = stores_of
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._theirs: WeakValueDictionary[frozenset[UUID], asyncio.Semaphore] = WeakValueDictionary()
        self._own: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
        self._minute = -1
        self._asked: Counter[UUID] = Counter()

    @asynccontextmanager
    async def turn(self, person: UUID) -> AsyncIterator[None]:
        """Raises NoTurn: they asked too often in this minute, or their turn did not come in time."""
        self._count(person)
        own = self._own.setdefault(person, asyncio.Lock())
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(_WAIT_SECONDS):
                    await held.enter_async_context(own)
                    stores = await self._stores_of(person)
                    theirs = self._theirs.setdefault(stores, asyncio.Semaphore(_OF_SAME_STORES))
                    await held.enter_async_context(theirs)
                    await held.enter_async_context(self._places)
            except TimeoutError:
                raise NoTurn(503, "others are being answered", 10) from None
            yield

    def _count(self, person: UUID) -> None:
        minute = int(self._clock.monotonic() // _MINUTE_SECONDS)
        if minute != self._minute:
            self._minute, self._asked = minute, Counter()
        if self._asked[person] >= MOST_A_MINUTE:
            raise NoTurn(429, f"more than {MOST_A_MINUTE} requests in a minute", _MINUTE_SECONDS)
        self._asked[person] += 1
