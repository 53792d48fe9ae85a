"""What a log itself says: where it begins and ends, and which record stands where.

The reader is a Kafka consumer of its own. A group's consumer keeps a long poll open, and a broker answers the requests
of a connection one after the other: asking through that one costs up to half a second a question.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from services.kernel.errors import Retryable
from services.kernel.kafka import client
from services.kernel.settings import Settings

_DEADLINE_SECONDS = 10.0
_FETCH_MS = 50
_FETCH_BYTES = 256 * 1024


class Reader:
    """Answers about the partitions of one topic; nobody's position moves. Raises TimeoutError or a KafkaError."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        self._consumer: Any = None
        self._lock = asyncio.Lock()

    async def bounds(self, partitions: Collection[int]) -> dict[int, tuple[int, int]]:
        """Where each log begins, and the offset that its next record will have."""
        tps = [TopicPartition(self._topic, one) for one in partitions]
        # One question at a time: the next one's assignment would take this one's partitions away.
        async with self._lock, asyncio.timeout(_DEADLINE_SECONDS):
            consumer = await self._open()
            begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        return {tp.partition: (begins[tp], ends[tp]) for tp in tps}

    async def first(self, offsets: Mapping[int, int], ends: Mapping[int, int]) -> dict[int, ConsumerRecord | None]:
        """The first record at or after each partition's offset, None where nothing follows up to the end.

        Raises Retryable when retention took an offset meanwhile.
        """
        found: dict[int, ConsumerRecord | None] = dict.fromkeys(offsets)
        waiting = {TopicPartition(self._topic, one): at for one, at in offsets.items() if at < ends[one]}
        if waiting:
            async with self._lock, asyncio.timeout(_DEADLINE_SECONDS):
                consumer = await self._open()
                consumer.assign(list(waiting))
                for tp, at in waiting.items():
                    consumer.seek(tp, at)
                while waiting:
                    for tp in await self._fetch(consumer, waiting, ends, found):
                        consumer.pause(tp)
                        del waiting[tp]
        return found

    async def _fetch(
        self, consumer: Any, waiting: Collection[TopicPartition], ends: Mapping[int, int], found: dict[int, Any]
    ) -> list[TopicPartition]:
        """Note what came; say which partitions are answered."""
        try:
            fetched = await consumer.getmany(*waiting, timeout_ms=_FETCH_MS, max_records=1)
        except OffsetOutOfRangeError as taken:
            raise Retryable("the log was cut while we looked into it") from taken
        found |= {tp.partition: records[0] for tp, records in fetched.items()}
        return [tp for tp in waiting if tp in fetched or await consumer.position(tp) >= ends[tp.partition]]

    async def _open(self) -> Any:
        if self._consumer is None:
            consumer = client.consumer(
                self._settings,
                enable_auto_commit=False,
                auto_offset_reset="none",  # "earliest" would pass over in silence what retention took
                # A batch as it usually is. With less, Kafka answers for the first partition alone, and each of the
                # others waits for its own turn: a second for twelve, in which a consumer that asks stands still.
                max_partition_fetch_bytes=_FETCH_BYTES,
                fetch_max_wait_ms=_FETCH_MS,
            )
            await client.started(consumer, self._settings)
            self._consumer = consumer
        return self._consumer

    async def stop(self) -> None:
        """Close the connections, if any were opened."""
        if self._consumer is not None:
            await self._consumer.stop()
