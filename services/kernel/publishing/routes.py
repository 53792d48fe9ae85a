"""Which lane a record takes: its key decides, as Kafka's own clients do."""

import asyncio
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from aiokafka.partitioner import murmur2

from services.kernel.publishing.lanes import Kept, Lane, LaneBatch, Tick
from services.kernel.record import Record

_LINGER_SECONDS = 0.002
_POSITIVE = 0x7FFFFFFF


class Routes:
    """A started producer and its lanes, opened as they are needed."""

    def __init__(self, producer: Any, kept: Kept) -> None:
        self._producer = producer
        self._kept = kept
        self._tick = Tick(_LINGER_SECONDS)
        self._lanes: dict[tuple[str, int], Lane] = {}

    def known(self, record: Record) -> Lane | None:
        """Its lane; None for a topic not met before."""
        partitions = self._producer.client.cluster.partitions_for_topic(record.topic)
        if not partitions:
            return None
        place = record.topic, _placed(record.key or record.identity.encode(), len(partitions))
        return self._lanes.get(place) or self._open(*place)

    async def found(self, record: Record, seconds: float) -> Lane:
        """The same, after asking Kafka for so long. Raises KafkaError, TimeoutError."""
        async with asyncio.timeout(seconds):
            await self._producer.partitions_for(record.topic)
        lane = self.known(record)
        assert lane is not None
        return lane

    def waiting(self) -> Iterator[LaneBatch]:
        """What somebody waits for."""
        for lane in self._lanes.values():
            yield from lane.waiting()

    async def brokers_are_ready(self) -> bool:
        """Whether every broker that the cluster lists can be talked to."""
        client = self._producer.client
        return all([await client.ready(broker.nodeId) for broker in client.cluster.brokers()])

    async def stop(self) -> None:
        """Let the producer finish and close; what was only gathered fails."""
        try:
            await self._producer.stop()
        finally:
            for lane in self._lanes.values():
                lane.close()

    def _open(self, topic: str, partition: int) -> Lane:
        self._lanes[topic, partition] = lane = Lane(self._producer, topic, partition, self._tick, self._kept)
        return lane


@lru_cache(maxsize=65_536)
def _placed(key: bytes, partitions: int) -> int:
    """Kafka's own placement; the client's murmur2 is pure Python (9 µs a key), hence the cache."""
    return int((murmur2(key) & _POSITIVE) % partitions)
