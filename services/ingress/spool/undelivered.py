"""What lies set aside beside this ingress, told to PostgreSQL: the audit names it, wherever it is asked."""

import asyncio
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog

from db.pool import INGRESS
from db.records import undelivered as table
from services.ingress.spool.level import FillLevel
from services.ingress.spool.set_aside import Aside, Wanted, counted, files
from services.kernel import Process
from services.kernel.errors import describe

_PUT_SECONDS = 3.0
log = structlog.get_logger()


class UndeliveredWriter:
    """Looks where something is set aside, or was; what an earlier process told is corrected at the start."""

    def __init__(self, process: Process, level: FillLevel, directory: Path) -> None:
        self._process = process
        self._level = level
        self._directory = directory
        self._written: Sequence[Aside] | None = None

    async def close(self) -> None:
        """What this life leaves, if PostgreSQL takes it soon; else the next one tells it."""
        try:
            await self.write()
        except Exception as error:  # whatever it is, others are still to be closed
            log.warning("undelivered_is_not_told_at_the_end", error=describe(error))

    async def write(self) -> bool:
        """Tell what has changed; what PostgreSQL does not take now, it is told the next time."""
        if not self._level.refused and self._written == []:
            return False
        asides = await asyncio.to_thread(counted, self._directory, Wanted())
        if asides != self._written:
            await self._put(asides)
            self._written = asides
        return False

    async def _put(self, asides: Sequence[Aside]) -> None:
        lines = [
            (one.file, one.topic, one.reason, one.records, datetime.fromtimestamp(one.oldest_at, UTC)) for one in asides
        ]
        names = [path.name for path in files(self._directory)]
        async with asyncio.timeout(_PUT_SECONDS), self._process.pool(INGRESS).acquire() as conn:
            await table.tell(conn, socket.gethostname(), str(self._directory.resolve()), names, lines)
