"""From when on each store keeps a kind: what happened before comes too late, wherever it comes from."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from db.pool import Connection, scoped
from db.privacy import retention
from schemas.values.retention import RetentionKind
from services.kernel.errors import Retryable
from services.kernel.every import every
from services.kernel.process import Process
from services.kernel.record import Record

E = TypeVar("E")
_SECONDS = 60.0  # a moment moves an hour before anything behind it goes


class Retained(Generic[E]):
    """Reads and keeps one kind's events: `newest` is the moment of the newest thing that an event tells, None where it
    is kept whatever its age."""

    def __init__(
        self,
        process: Process,
        kind: RetentionKind,
        newest: Callable[[E], datetime | None],
        *,
        read: Callable[[Record], E | None],
        keep: Callable[[Connection, Sequence[E]], Awaitable[Collection[Record]]],
    ) -> None:
        self._process, self._kind, self._newest = process, kind, newest
        self._read, self._keep = read, keep
        self._since: Mapping[UUID, datetime] | None = None
        every(process, self.refresh, name=f"{kind} kept", seconds=_SECONDS)

    def read(self, record: Record) -> E | None:
        """None also for what its store keeps no longer."""
        event = self._read(record)
        since = (self._since or {}).get(record.store) if event is not None else None
        if event is None or since is None or (newest := self._newest(event)) is None or newest >= since:
            return event
        self._process.metrics.retention_ignored.labels(self._kind, str(record.store)).inc()
        return None

    async def keep(self, conn: Connection, events: Sequence[E]) -> Collection[Record]:
        """Raises Retryable until it is known what is kept: these events were read without it."""
        if self._since is None:
            raise Retryable(f"from when on {self._kind} is kept was not read yet")
        return await self._keep(conn, events)

    async def refresh(self) -> bool:
        """Ask again; for `every`."""
        async with scoped(self._process.pool(), ()) as conn:
            self._since = await retention.since(conn, self._kind)
        return False
