"""The batch behind the one in hand: fetched and read while PostgreSQL works on that one.

Only behind a full batch, for then more lies ready; what trickles in is left to become a larger one. It begins when the
effect first waits, for before that it would only stand in its way; an effect that waits for nothing costs nothing.
Nothing of it is applied before its turn. What was moved, paused or given away meanwhile is dropped then: Kafka hands it
out again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, Generic

from db.pool import Connection
from services.kernel.consuming.bisect import Apply, E
from services.kernel.consuming.positions import Positions
from services.kernel.record import Record

_READ_AT_ONCE = 8  # between them, what PostgreSQL answered goes first: it has the next statement after a millisecond
_UNREAD = object()

Fetch = Callable[[], Awaitable[Sequence[Record]]]


class Prefetch(Generic[E]):
    """What one group has fetched and read in advance, one batch at the most."""

    def __init__(self, read: Callable[[Record], E | None], apply: Apply[E], fetch: Fetch, positions: Positions) -> None:
        self._read = read
        self._apply = apply
        self._fetch = fetch
        self._positions = positions
        self._events: dict[Record, Any] = {}  # of the batch in hand
        self._is_full = False  # the batch in hand, behind which nothing was begun yet
        self._soon: asyncio.Handle | None = None  # begins it when the effect first waits
        self._begun: asyncio.Task[tuple[Sequence[Record], dict[Record, Any]]] | None = None

    def in_hand(self, *, full: bool) -> None:
        """A batch begins; behind a full one more lies ready."""
        self._is_full = full

    def read(self, record: Record) -> E | None:
        """What was read in advance, else read now; what is tried again is read again. Raises what `read` does."""
        if not self._events:
            return self._read(record)
        event = self._events.pop(record, _UNREAD)
        return self._read(record) if event is _UNREAD else event

    async def apply(self, conn: Connection, events: Sequence[E]) -> Collection[Record]:
        """The effect, and what follows meanwhile."""
        if self._is_full:
            self._is_full = False
            self._soon = asyncio.get_running_loop().call_soon(self._begin)
        return await self._apply(conn, events)

    def _begin(self) -> None:
        self._begun = asyncio.create_task(self._fetched_and_read())

    async def following(self) -> Sequence[Record]:
        """The next batch: what was fetched meanwhile, else what is fetched now."""
        self._is_full = False
        if self._soon is not None:
            self._soon.cancel()  # of no effect where it was begun
            self._soon = None
        if self._begun is None:
            return await self._fetch()
        begun, self._begun = self._begun, None
        records, self._events = await begun
        return self._positions.unmoved(records)

    async def end(self) -> None:
        """Drop what was begun and is no longer wanted."""
        self._is_full = False
        if self._soon is not None:
            self._soon.cancel()
        if self._begun is not None:
            self._begun.cancel()
            await asyncio.gather(self._begun, return_exceptions=True)
        self._soon = self._begun = None

    async def _fetched_and_read(self) -> tuple[Sequence[Record], dict[Record, Any]]:
        records = await self._fetch()
        self._positions.mark()
        events: dict[Record, Any] = {}
        for begin in range(0, len(records), _READ_AT_ONCE):
            await asyncio.sleep(0)
            for record in records[begin : begin + _READ_AT_ONCE]:
                if record.is_closed:  # its key is asked for in its transaction
                    continue
                with suppress(Exception):  # it is read again in its turn, and raises there
                    events[record] = self._read(record)
        return records, events
