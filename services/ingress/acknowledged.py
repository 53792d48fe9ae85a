"""What Kafka acknowledged to this process, written to PostgreSQL: the audit holds it against the log's ends."""

import asyncio

import structlog
from aiokafka.errors import KafkaError

from db import acknowledged as table
from db.pool import INGRESS
from services.ingress.spool.metrics import SpoolMetrics
from services.ingress.tallies import Tallies
from services.kernel import Process
from services.kernel.errors import Verdict, describe, verdict
from services.kernel.topics import cluster_id

WRITE_SECONDS = 10.0
_CLOSE_SECONDS = 3.0
_ASK_SECONDS = 5.0
_NAME_SECONDS = 60.0
_FOLD_SECONDS = 3600.0
# Rows that were silent for an hour may have been folded by another process: well before, we begin new ones.
_SILENT_SECONDS = 1800.0
log = structlog.get_logger()


class Acknowledged:
    """In memory until PostgreSQL takes it."""

    def __init__(self, process: Process, metrics: SpoolMetrics) -> None:
        self._process = process
        self._metrics = metrics
        self._clock = process.clock
        self._tallies = Tallies(process.clock)
        self.note = self._tallies.note
        self._written_at = process.clock.monotonic()
        metrics.written.set(process.clock.now().timestamp())
        self._named_at = self._folded_at = float("-inf")

    async def close(self) -> None:
        """The last row of this life, if PostgreSQL takes it soon."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.write()
        except TimeoutError:
            log.warning("acknowledged_is_not_written_at_the_end")

    async def write(self) -> bool:
        """Write what is known; what PostgreSQL does not take now, it is offered again with the next."""
        try:
            await self._name_cluster()
        except (KafkaError, OSError) as error:  # TimeoutError is one, too
            log.warning("acknowledged_waits_for_the_name_of_the_cluster", error=describe(error))
        try:
            await self._put()
        except Exception as error:
            if verdict(error) is not Verdict.AGAIN:
                raise
            log.warning("acknowledged_waits", error=describe(error))
        return False

    async def _name_cluster(self) -> None:
        """Ask Kafka for its name when there are tallies without one, and now and then whether it is another."""
        nameless = any(one.cluster is None for one in self._tallies.all())
        now = self._clock.monotonic()
        if nameless or now - self._named_at >= _NAME_SECONDS:
            async with asyncio.timeout(_ASK_SECONDS):
                name = await cluster_id(self._process.settings)
            self._named_at = now
            self._tallies.belong_to(name)

    async def _put(self) -> None:
        now = self._clock.monotonic()
        if now - self._written_at > _SILENT_SECONDS:
            self._tallies.begin_anew()
        rows = [(one, one.accepted) for one in self._tallies.all() if one.cluster]
        values = [
            (one.instance, one.topic, one.partition, accepted, one.highest, one.cluster or "", one.at)
            for one, accepted in rows
        ]
        async with self._process.pool(INGRESS).acquire(timeout=_ASK_SECONDS) as conn:
            await table.put(conn, values)
            self._written_at = now
            self._metrics.written.set(self._clock.now().timestamp())
            self._tallies.wrote(rows)
            if now - self._folded_at > _FOLD_SECONDS:
                self._folded_at = now
                await table.fold(conn)
