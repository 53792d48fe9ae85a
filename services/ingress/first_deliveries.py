"""The first delivery on a webhook that replaces another, told to `stores rotate`, which then removes the old one."""

import re
from collections import defaultdict
from uuid import UUID

import structlog

from db import rotations as table
from db.pool import INGRESS
from services.kernel import Process
from services.kernel.errors import Verdict, describe, verdict

WRITE_SECONDS = 1.0
_VERSION = re.compile(rb"v=(\d{1,6})")
# The query is not signed, and a store may write any number into it: so many versions of it are remembered, then each is
# told once more; and so few are told at a time.
_MOST_REMEMBERED, _MOST_TOLD = 64, 8
log = structlog.get_logger()


class FirstDeliveries:
    """Store and version of each webhook with `?v=…` in its URL that a delivery was taken on."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._seen: defaultdict[UUID, set[bytes]] = defaultdict(set)
        self._waiting: defaultdict[UUID, set[bytes]] = defaultdict(set)

    def note(self, store: UUID, query: bytes) -> None:
        """It proved itself and was kept."""
        seen = self._seen[store]
        if query in seen or not _VERSION.fullmatch(query) or len(self._waiting[store]) >= _MOST_TOLD:
            return
        if len(seen) >= _MOST_REMEMBERED:
            seen.clear()
        seen.add(query)
        self._waiting[store].add(query)

    async def write(self) -> bool:
        """While PostgreSQL does not take it, it waits for the next turn."""
        waiting, self._waiting = self._waiting, defaultdict(set)
        try:
            for store, queries in waiting.items():
                async with self._process.pool(INGRESS).acquire(timeout=2) as conn:
                    for query in queries:
                        await table.verified(conn, store, int(query.removeprefix(b"v=")))
        except Exception as error:
            for store, queries in waiting.items():
                self._waiting[store] = {*[*queries, *self._waiting[store]][:_MOST_TOLD]}
            if verdict(error) is not Verdict.AGAIN:
                raise
            log.warning("first_deliveries_wait", error=describe(error))
        return False
