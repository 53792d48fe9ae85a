"""What Kafka acknowledged to this process, by partition: the audit holds it against the log's ends.

A row belongs to one life of one process in one log, and holds absolute numbers, so writing it twice changes nothing.
An offset that does not grow says that the log is another one or was cut: then a new row begins and the old one stays,
as the witness of what had been acknowledged.
"""

import asyncio
import os
import socket
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import structlog
import uuid_utils
from aiokafka.errors import KafkaError

from db import acknowledged as table
from db.pool import INGRESS
from services.ingress.spool_metrics import SpoolMetrics
from services.kernel import Process, Stop
from services.kernel.errors import describe
from services.kernel.topics import cluster_id

WRITE_SECONDS = 10.0
_CLOSE_SECONDS = 3.0
_ASK_SECONDS = 5.0
_NAME_SECONDS = 60.0
_FOLD_SECONDS = 3600.0
# Rows that were silent for an hour may have been folded by another process: well before, we begin new ones.
_SILENT_SECONDS = 1800.0
log = structlog.get_logger()


@dataclass(slots=True)
class _Tally:
    instance: str
    topic: str
    partition: int
    accepted: int
    highest: int
    at: datetime
    cluster: str | None = None
    written: int = 0


class Acknowledged:
    """In memory until PostgreSQL takes it."""

    def __init__(self, process: Process, metrics: SpoolMetrics) -> None:
        self._process = process
        self._metrics = metrics
        self._clock = process.clock
        self._life = f"{socket.gethostname()}:{os.getpid()}:{uuid_utils.uuid7()}"
        self._lives = 0
        self._tallies: dict[tuple[str, int], _Tally] = {}
        self._ended: list[_Tally] = []
        self._written_at = process.clock.monotonic()
        metrics.written.set(process.clock.now().timestamp())
        self._named_at = self._folded_at = float("-inf")

    def note(self, topic: str, partition: int, offset: int, count: int) -> None:
        """Kafka has so many records more, up to this offset. Called in the order of a partition's acknowledgements."""
        tally = self._tallies.get((topic, partition))
        if tally is None or offset <= tally.highest:
            tally = self._begin(topic, partition)
        tally.accepted += count
        tally.highest = offset
        tally.at = self._clock.now()

    async def run(self) -> None:
        while True:
            await self._clock.sleep(WRITE_SECONDS)
            await self.write()

    async def close(self) -> None:
        """The last row of this life, if PostgreSQL takes it soon."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.write()
        except TimeoutError:
            log.warning("acknowledged_is_not_written_at_the_end")

    async def write(self) -> None:
        """Write what is known; what PostgreSQL does not take now, it is offered again with the next."""
        try:
            await self._name_cluster()
        except (KafkaError, OSError) as error:  # TimeoutError is one, too
            log.warning("acknowledged_waits_for_the_name_of_the_cluster", error=describe(error))
        try:
            await self._put()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, Stop) as error:
            log.warning("acknowledged_waits", error=describe(error))

    def _begin(self, topic: str, partition: int) -> _Tally:
        before = self._tallies.get((topic, partition))
        if before is not None:
            self._ended.append(before)
        instance = self._another_life() if before else self._life
        tally = _Tally(instance, topic, partition, accepted=0, highest=-1, at=self._clock.now())
        self._tallies[topic, partition] = tally
        return tally

    def _another_life(self) -> str:
        self._lives += 1
        return f"{self._life}/{self._lives}"

    async def _name_cluster(self) -> None:
        """Ask Kafka for its name when there are tallies without one, and now and then whether it is another."""
        nameless = [one for one in self._all() if one.cluster is None]
        now = self._clock.monotonic()
        if not nameless and now - self._named_at < _NAME_SECONDS:
            return
        async with asyncio.timeout(_ASK_SECONDS):
            name = await cluster_id(self._process.settings)
        self._named_at = now
        for tally in self._all():
            if tally.cluster is None:
                tally.cluster = name
            elif tally.cluster != name and self._tallies.get((tally.topic, tally.partition)) is tally:
                self._ended.append(self._tallies.pop((tally.topic, tally.partition)))

    async def _put(self) -> None:
        now = self._clock.monotonic()
        if now - self._written_at > _SILENT_SECONDS:
            self._begin_rows_anew()
        known = [(one, one.accepted) for one in self._all() if one.cluster]
        rows = [
            (one.instance, one.topic, one.partition, accepted, one.highest, one.cluster or "", one.at)
            for one, accepted in known
        ]
        async with self._process.pool(INGRESS).acquire(timeout=_ASK_SECONDS) as conn:
            await table.put(conn, rows)
            self._written_at = now
            self._metrics.written.set(self._clock.now().timestamp())
            for tally, accepted in known:
                tally.written = accepted
            self._ended = [one for one in self._ended if one.written != one.accepted]
            if now - self._folded_at > _FOLD_SECONDS:
                self._folded_at = now
                await table.fold(conn)

    def _begin_rows_anew(self) -> None:
        for tally in self._all():
            tally.instance = self._another_life()
            tally.accepted -= tally.written
            tally.written = 0

    def _all(self) -> list[_Tally]:
        return [*self._ended, *self._tallies.values()]
