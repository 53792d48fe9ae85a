"""What lies beside this ingress and is not in Kafka, told to PostgreSQL: the audit names it, wherever it is asked."""

import asyncio
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog

from db.pool import INGRESS
from db.records import spooled
from db.records import undelivered as table
from db.records.spooled import SpooledRow
from db.records.undelivered import AsideRow
from services.ingress.spool.file import EMPTIED
from services.ingress.spool.level import FillLevel
from services.ingress.spool.set_aside import Aside, Wanted, counted, files
from services.ingress.spool.status import look
from services.kernel import Process
from services.kernel.errors import describe

_PUT_SECONDS = 3.0
_Lying = tuple[Sequence[Aside], Sequence[SpooledRow]]  # set aside, and waiting
log = structlog.get_logger()


class UndeliveredWriter:
    """Looks where something waits or is set aside, or did; what an earlier process told is corrected at the start."""

    def __init__(self, process: Process, level: FillLevel, directory: Path) -> None:
        self._process = process
        self._level = level
        self._directory = directory
        self._written: _Lying | None = None

    async def close(self) -> None:
        """What this life leaves, if PostgreSQL takes it soon; else the next one tells it."""
        try:
            await self.write()
        except Exception as error:  # whatever it is, others are still to be closed
            log.warning("undelivered_is_not_told_at_the_end", error=describe(error))

    async def write(self) -> bool:
        """Tell what has changed, and what waits each time: who is silent is dead, whatever he told before.

        What PostgreSQL does not take now, it is told the next time.
        """
        emptied = await asyncio.to_thread(self._emptied)
        if not (emptied or self._level.refused or self._level.records) and self._written == ([], []):
            return False
        lying = await asyncio.to_thread(self._lying)
        if emptied or lying[1] or lying != self._written:
            await self._put(*lying, emptied)
            self._written = lying
            for path in emptied:
                path.unlink(missing_ok=True)
        return False

    def _emptied(self) -> Sequence[Path]:
        return sorted(self._directory.glob(f"*{EMPTIED}"))

    def _lying(self) -> _Lying:
        """What other processes keep in this directory is among it: they may be dead."""
        seen = look(self._directory, {}, now=self._process.clock.now().timestamp())
        waiting = [
            SpooledRow(path.name, one.records, datetime.fromtimestamp(one.oldest_at, UTC))
            for path, one in seen.items()
            if one.oldest_at is not None
        ]
        return counted(self._directory, Wanted()), waiting

    async def _put(self, asides: Sequence[Aside], waiting: Sequence[SpooledRow], emptied: Sequence[Path]) -> None:
        where = socket.gethostname(), str(self._directory.resolve())
        async with asyncio.timeout(_PUT_SECONDS), self._process.pool(INGRESS).acquire() as conn:
            there = {path.name for path in files(self._directory)}
            known = [*there, *(path.with_suffix(".sqlite3").name for path in emptied)]
            # Another process may have drained, told and removed a file meanwhile: told again, it would count as lost.
            await spooled.tell(conn, *where, known, [row for row in waiting if row.file in there])
            await table.tell(conn, *where, known, [_row(one) for one in asides if one.file in there])


def _row(one: Aside) -> AsideRow:
    return one.file, one.topic, one.reason, one.records, datetime.fromtimestamp(one.oldest_at, UTC)
