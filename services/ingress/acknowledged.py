"""What Kafka acknowledged to this process, written to PostgreSQL: the audit holds it against the log's ends."""

import asyncio
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
import uuid_utils
from aiokafka.errors import KafkaError

from db.pool import INGRESS
from db.records import acknowledged as table
from services.ingress.spool.metrics import SpoolMetrics
from services.kernel import Clock, Process
from services.kernel.errors import Verdict, describe, verdict
from services.kernel.kafka.topics import cluster_id

WRITE_SECONDS = 10.0  # what a process that is killed has accepted since, the audit does not know of
_CLOSE_SECONDS = 3.0  # well within the time that a process has to close
_ASK_SECONDS = 5.0
_NAME_SECONDS = 60.0  # so soon is a cluster noticed that took another's place
_FOLD_SECONDS = 3600.0
# Rows that were silent for an hour may have been folded by another process: well before, we begin new ones.
_SILENT_SECONDS = 1800.0
log = structlog.get_logger()


@dataclass(slots=True)
class OffsetRow:
    """A row: how many records were acknowledged, up to which offset, and how many of them the table has."""

    instance: str
    topic: str
    partition: int
    accepted: int
    highest: int
    at: datetime
    cluster: str | None = None
    written: int = 0


class OffsetRows:
    """The rows that grow, and those that have ended but are not yet written."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._life = f"{socket.gethostname()}:{os.getpid()}:{uuid_utils.uuid7()}"
        self._lives = 0
        self._growing: dict[tuple[str, int], OffsetRow] = {}
        self._ended: list[OffsetRow] = []

    def all(self) -> list[OffsetRow]:
        return [*self._ended, *self._growing.values()]

    def note(self, topic: str, partition: int, offset: int, count: int) -> None:
        """Kafka has so many records more, up to this offset. Called in the order of a partition's acknowledgements."""
        row = self._growing.get((topic, partition))
        # An offset that was there before is another log's, or one that lost its end: its count begins in a new row.
        if row is None or offset <= row.highest:
            row = self._begin(topic, partition)
        row.accepted += count
        row.highest = offset
        row.at = self._clock.now()

    def belong_to(self, cluster: str) -> None:
        """Name the nameless; what grew in another cluster has ended."""
        for row in self.all():
            if row.cluster is None:
                row.cluster = cluster
            elif row.cluster != cluster and self._growing.get((row.topic, row.partition)) is row:
                self._ended.append(self._growing.pop((row.topic, row.partition)))

    def wrote(self, rows: Sequence[tuple[OffsetRow, int]]) -> None:
        """The table has so many records of each; what has ended and is there whole is forgotten."""
        for row, accepted in rows:
            row.written = accepted
        self._ended = [one for one in self._ended if one.written != one.accepted]

    def begin_anew(self) -> None:
        """Leave every row as the table has it, and go on in new ones."""
        for row in self.all():
            row.instance = self._another_life()
            row.accepted -= row.written
            row.written = 0

    def _begin(self, topic: str, partition: int) -> OffsetRow:
        before = self._growing.get((topic, partition))
        if before is not None:
            self._ended.append(before)
        instance = self._another_life() if before else self._life
        row = OffsetRow(instance, topic, partition, accepted=0, highest=-1, at=self._clock.now())
        self._growing[topic, partition] = row
        return row

    def _another_life(self) -> str:
        self._lives += 1
        return f"{self._life}/{self._lives}"


class AcknowledgedWriter:
    """In memory until PostgreSQL takes it."""

    def __init__(self, process: Process, metrics: SpoolMetrics) -> None:
        self._process = process
        self._metrics = metrics
        self._clock = process.clock
        self._rows = OffsetRows(process.clock)
        self.note = self._rows.note
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
        """Ask Kafka for its name when there are rows without one, and now and then whether it is another."""
        nameless = any(one.cluster is None for one in self._rows.all())
        now = self._clock.monotonic()
        if nameless or now - self._named_at >= _NAME_SECONDS:
            async with asyncio.timeout(_ASK_SECONDS):
                name = await cluster_id(self._process.settings)
            self._named_at = now
            self._rows.belong_to(name)

    async def _put(self) -> None:
        now = self._clock.monotonic()
        if now - self._written_at > _SILENT_SECONDS:
            self._rows.begin_anew()
        rows = [(one, one.accepted) for one in self._rows.all() if one.cluster]
        values = [
            table.AcknowledgedRow(
                instance=one.instance,
                topic=one.topic,
                partition=one.partition,
                accepted=accepted,
                highest_offset=one.highest,
                cluster_id=one.cluster or "",
                updated_at=one.at,
            )
            for one, accepted in rows
        ]
        async with self._process.pool(INGRESS).acquire(timeout=_ASK_SECONDS) as conn:
            await table.put(conn, values)
            self._written_at = now
            self._metrics.written.set(self._clock.now().timestamp())
            self._rows.wrote(rows)
            if now - self._folded_at > _FOLD_SECONDS:
                self._folded_at = now
                await table.fold(conn)
