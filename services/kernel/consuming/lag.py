"""What others can see of a consumer's progress: its lag as metrics, and Kafka's own offsets for lag tools."""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from db.records.ledger import LedgerRow
from services.kernel.kafka.log_reader import Reader
from services.kernel.process import Process

_COMMIT_SECONDS = 5.0  # of a round that has partitions to settle; the next one commits what this one could not
log = structlog.get_logger()


class Lag:
    """How far one group is behind on one topic, in this process's partitions."""

    def __init__(self, process: Process, group: str, topic: str, reader: Reader) -> None:
        self._clock = process.clock
        self._metrics = process.metrics
        self._group = group
        self._topic = topic
        self._reader = reader
        self._measured: set[int] = set()
        self._committed: dict[TopicPartition, int] = {}

    async def measure(self, rows: Mapping[int, LedgerRow], bounds: Mapping[int, tuple[int, int]]) -> None:
        """Lag in records by partition, and in seconds: the age of the oldest record that waits."""
        starts = {one: rows[one].next_offset if one in rows else begin for one, (begin, _) in bounds.items()}
        for partition in self._measured - bounds.keys():  # somebody else's now
            self._metrics.lag_records.remove(self._group, self._topic, partition)
        self._measured = set(bounds)
        for partition, start in starts.items():
            gauge = self._metrics.lag_records.labels(self._group, self._topic, partition)
            gauge.set(max(bounds[partition][1] - start, 0))
        kept = {one: max(start, bounds[one][0]) for one, start in starts.items()}
        oldest = await self._reader.first(kept, {one: end for one, (_, end) in bounds.items()})
        now = self._clock.now().timestamp()
        ages = [now - record.timestamp / 1000 for record in oldest.values() if record is not None]
        self._metrics.lag_seconds.labels(self._group, self._topic).set(max([0.0, *ages]))

    async def commit(self, consumer: Any, rows: Mapping[int, LedgerRow]) -> None:
        """Tell Kafka what the ledger says, for partitions that are still ours. What fails here costs nothing."""
        offsets = {TopicPartition(self._topic, one): row.next_offset for one, row in rows.items()}
        news = {tp: at for tp, at in offsets.items() if self._committed.get(tp) != at and tp in consumer.assignment()}
        if not news:
            return
        try:
            async with asyncio.timeout(_COMMIT_SECONDS):
                await consumer.commit(news)
            self._committed = offsets
        except (KafkaError, IllegalStateError, TimeoutError) as error:
            log.debug("commit_skipped", group=self._group, error=type(error).__name__)
