"""The first delivery on a webhook that replaces another, told to `stores rotate`, which then removes the old one."""

import re
from uuid import UUID

import structlog

from db import rotations as table
from db.pool import INGRESS
from services.kernel import Process
from services.kernel.errors import Verdict, describe, verdict

WRITE_SECONDS = 1.0
_VERSION = re.compile(rb"v=(\d{1,6})")
_MOST = 10_000  # pairs remembered; then each is told once more
log = structlog.get_logger()


class FirstDeliveries:
    """Store and version of each webhook with `?v=…` in its URL that a delivery was taken on."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._seen: set[tuple[UUID, bytes]] = set()
        self._waiting: set[tuple[UUID, bytes]] = set()

    def note(self, store: UUID, query: bytes) -> None:
        """It proved itself and was kept."""
        pair = (store, query)
        if pair not in self._seen and _VERSION.fullmatch(query):
            if len(self._seen) >= _MOST:
                self._seen.clear()
            self._seen.add(pair)
            self._waiting.add(pair)

    async def write(self) -> bool:
        """While PostgreSQL does not take it, it waits for the next turn."""
        waiting, self._waiting = self._waiting, set()
        try:
            for store, query in waiting:
                async with self._process.pool(INGRESS).acquire(timeout=2) as conn:
                    await table.verified(conn, store, int(query.removeprefix(b"v=")))
        except Exception as error:
            self._waiting |= waiting
            if verdict(error) is not Verdict.AGAIN:
                raise
            log.warning("first_deliveries_wait", error=describe(error))
        return False
