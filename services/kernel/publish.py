"""Publishing: one producer for the process, connected by a loop of its own, so that a door opens without Kafka."""

import asyncio
import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, MessageSizeTooLargeError
from aiokafka.partitioner import murmur2

from schemas.topics import MAX_MESSAGE_BYTES
from services.kernel.batches import BATCH_BYTES, Place
from services.kernel.clock import Clock
from services.kernel.errors import Retryable
from services.kernel.lanes import Kept, Lane, Tick
from services.kernel.record import Record
from services.kernel.settings import Settings
from services.kernel.topics import client_options

_ACK_SECONDS = 2.0
_VERDICT_SECONDS = 12.0  # twice the producer's request time-out, and a little
_LINGER_SECONDS = 0.002  # so long the first record of a lane that was idle waits for others
_REACH_SECONDS = 0.5
_CONNECT_AGAIN_SECONDS = 1.0
_REQUEST_TIMEOUT_MS = 5_000
_POSITIVE = 0x7FFFFFFF
log = structlog.get_logger()


class Publisher:
    """A plain producer, acks=all. Not idempotent: an idempotent one never lets a batch expire, and every record that
    was spooled meanwhile would come twice. What still comes twice is absorbed by the consumers' content keys."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._producer: Any = None
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._tick = Tick(_LINGER_SECONDS)
        self.kept: list[Kept] = []  # each is told what Kafka has acknowledged, in the order of each partition

    @property
    def connected(self) -> bool:
        return self._producer is not None

    async def connect(self) -> None:
        """Keep trying until Kafka answers; then the producer reconnects by itself."""
        while self._producer is None:
            producer = AIOKafkaProducer(
                **client_options(self._settings),
                acks="all",
                compression_type="zstd",
                max_batch_size=BATCH_BYTES,
                max_request_size=MAX_MESSAGE_BYTES,
                request_timeout_ms=_REQUEST_TIMEOUT_MS,
                metadata_max_age_ms=30_000,
            )
            try:
                await producer.start()
                self._producer = producer
            except (KafkaError, OSError) as error:
                await producer.stop()
                log.warning("kafka_is_away", error=type(error).__name__)
                await self._clock.sleep(_CONNECT_AGAIN_SECONDS)
            except asyncio.CancelledError:
                await producer.stop()
                raise

    async def publish(self, record: Record) -> Place:
        """Partition and offset, once every in-sync replica has the record.

        Raises Retryable after 2 s or on any Kafka error; the record may have arrived all the same.
        """
        try:
            lane = self._lane(record) or await self._met(record)
            return await lane.add(record, _ACK_SECONDS)
        except (
            KafkaError,
            TimeoutError,
            AssertionError,
        ) as error:  # the client asserts that a partition is still there
            raise Retryable(f"Kafka did not acknowledge: {type(error).__name__}") from error

    async def publish_all(self, records: Sequence[Record]) -> list[Place | BaseException]:
        """What became of each, in the order given; waits for the client's own verdict, some 5 s with Kafka dead.

        A record without an acknowledgement has seldom arrived.
        """
        try:
            for topic in {one.topic for one in records}:
                await self._meet(topic)
        except (KafkaError, TimeoutError) as away:
            return [away] * len(records)
        return await asyncio.gather(*map(self._handed_over, records), return_exceptions=True)

    def _handed_over(self, record: Record) -> "asyncio.Future[Place]":
        lane = self._lane(record)
        assert lane is not None  # its topic was met
        try:
            return lane.add(record, _VERDICT_SECONDS)
        except MessageSizeTooLargeError as error:
            refused: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused

    def _lane(self, record: Record) -> Lane | None:
        """None for a topic not met before. Raises KafkaConnectionError before Kafka was reached."""
        if self._producer is None:
            raise KafkaConnectionError("Kafka has not been reached yet")
        partitions = self._producer.client.cluster.partitions_for_topic(record.topic)
        if not partitions:
            return None
        place = record.topic, _placed(record.key or record.identity.encode(), len(partitions))
        return self._lanes.get(place) or self._open(*place)

    async def _met(self, record: Record) -> Lane:
        await self._meet(record.topic)
        lane = self._lane(record)
        assert lane is not None
        return lane

    async def _meet(self, topic: str) -> None:
        """Have its partitions in memory. Raises KafkaError, TimeoutError."""
        if self._producer is None:
            raise KafkaConnectionError("Kafka has not been reached yet")
        async with asyncio.timeout(_ACK_SECONDS):
            await self._producer.partitions_for(topic)

    def _open(self, topic: str, partition: int) -> Lane:
        self._lanes[topic, partition] = lane = Lane(self._producer, topic, partition, self._tick, self._tell)
        return lane

    def _tell(self, topic: str, partition: int, offset: int, count: int) -> None:
        for kept in self.kept:
            kept(topic, partition, offset, count)

    def longest_wait(self) -> float:
        """Seconds that the oldest open `publish` has waited; 0 if none is open."""
        since = [batch.since for lane in self._lanes.values() for batch in lane.waiting()]
        return asyncio.get_running_loop().time() - min(since) if since else 0.0

    def give_up(self) -> None:
        """Let every open `publish` raise Retryable now: what it waits for is known to be away."""
        for lane in self._lanes.values():
            for batch in lane.waiting():
                batch.fail(KafkaConnectionError("given up"))

    async def reaches(self) -> bool:
        """Whether every broker that the cluster lists can be talked to."""
        if self._producer is None:
            return False
        client = self._producer.client
        try:
            async with asyncio.timeout(_REACH_SECONDS):
                return all([await client.ready(broker.nodeId) for broker in client.cluster.brokers()])
        except TimeoutError:
            return False

    async def stop(self) -> None:
        """Flush and close; with Kafka dead this takes as long as its request time-out, not longer."""
        if self._producer is not None:
            await self._producer.stop()
        for lane in self._lanes.values():
            lane.close()


@lru_cache(maxsize=65_536)
def _placed(key: bytes, partitions: int) -> int:
    """Kafka's own placement; the client's murmur2 is pure Python (9 µs a key), hence the cache."""
    return int((murmur2(key) & _POSITIVE) % partitions)


def quiet_client_logs() -> None:
    """aiokafka writes up to 1,900 lines a second while a broker or topic is away; our own loops say it once. httpx
    writes a line for each call to Chatwoot; a metric counts them."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("httpx").setLevel(logging.WARNING)
