"""Refusals on their way to PostgreSQL: counted by door, reason and store, written together."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from db.pool import INGRESS
from db.records import refusals as table
from services.ingress.doors.refusals import Reason
from services.kernel import Process
from services.kernel.errors import Verdict, describe, verdict

WRITE_SECONDS = 2.0
# Pairs of store and reason between two writes; what does not fit is still counted in /metrics.
_MOST = 500
log = structlog.get_logger()


@dataclass(slots=True)
class _Count:
    number: int
    last_at: datetime


class RefusalCounts:
    """What was refused since the last write; survives a PostgreSQL that is away, in bounded memory."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._counts: dict[tuple[str, Reason, UUID | None], _Count] = {}

    def note(self, door: str, reason: Reason, store: UUID | None) -> None:
        key, now = (door, reason, store), self._process.clock.now()
        if count := self._counts.get(key):
            count.number += 1
            count.last_at = now
        elif len(self._counts) < _MOST:
            self._counts[key] = _Count(1, now)

    async def write(self) -> bool:
        """Hand over what was counted; while PostgreSQL does not take it, it waits for the next turn."""
        if not self._counts:
            return False
        counts, self._counts = self._counts, {}
        rows = [
            table.RefusalRow(
                door=door, reason=reason.value, organization_id=store, number=one.number, last_at=one.last_at
            )
            for (door, reason, store), one in counts.items()
        ]
        try:
            async with self._process.pool(INGRESS).acquire(timeout=2) as conn, conn.transaction():
                await table.add(conn, rows)
        except Exception as error:
            self._put_back(counts)
            if verdict(error) is not Verdict.AGAIN:
                raise
            log.warning("refusals_wait", error=describe(error))
        return False

    async def close(self) -> None:
        await self.write()

    def _put_back(self, counts: dict[tuple[str, Reason, UUID | None], _Count]) -> None:
        for key, count in counts.items():
            newer = self._counts.get(key)
            if newer:
                newer.number += count.number
            elif len(self._counts) < _MOST:
                self._counts[key] = count
