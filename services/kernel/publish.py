"""Publishing: one producer for the process, connected by a loop of its own, so that a door opens without Kafka."""

import asyncio
import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.partitioner import murmur2

from schemas.topics import MAX_MESSAGE_BYTES
from services.kernel.clock import Clock
from services.kernel.errors import Retryable
from services.kernel.record import Record
from services.kernel.settings import Settings
from services.kernel.topics import client_options
from services.kernel.verdicts import Kept, Place, verdicts

_ACK_SECONDS = 2.0
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
        self._waiting: dict[asyncio.Timeout, float] = {}  # who waits in `publish`, and since when, oldest first

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
                linger_ms=5,
                max_batch_size=256 * 1024,
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
        if self._producer is None:
            raise Retryable("Kafka has not been reached yet")
        deadline = asyncio.timeout(_ACK_SECONDS)
        self._waiting[deadline] = self._clock.monotonic()
        try:
            async with deadline:
                kept = await (await self._send(record))
        except (KafkaError, TimeoutError) as error:
            raise Retryable(f"Kafka did not acknowledge: {type(error).__name__}") from error
        finally:
            del self._waiting[deadline]
        return kept.partition, kept.offset

    async def publish_all(self, records: Sequence[Record], kept: Kept) -> list[Place | Exception]:
        """What became of each, in the order given; waits for the client's own verdict, some 5 s with Kafka dead.

        Cheaper than `publish` one by one, and a record without an acknowledgement has seldom arrived. `kept` is told
        topic, partition and offset of each as it is acknowledged, in the same order as those who wait in `publish`.
        """

        return await verdicts(self._send, records, kept)

    async def _send(self, record: Record) -> Any:
        if self._producer is None:
            raise KafkaConnectionError("Kafka has not been reached yet")
        return await self._producer.send(
            record.topic,
            value=record.value,
            key=record.key,
            partition=self._partition(record),
            headers=list(record.headers),
        )

    def longest_wait(self) -> float:
        """Seconds that the oldest open `publish` has waited; 0 if none is open."""
        since = next(iter(self._waiting.values()), None)
        return self._clock.monotonic() - since if since is not None else 0.0

    def give_up(self) -> None:
        """Let every open `publish` raise Retryable now: what it waits for is known to be away."""
        now = asyncio.get_running_loop().time()
        for deadline in self._waiting:
            if not deadline.expired():
                deadline.reschedule(now)

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

    def _partition(self, record: Record) -> int | None:
        partitions = self._producer.client.cluster.partitions_for_topic(record.topic)
        return _placed(record.key, len(partitions)) if partitions and record.key else None

    async def stop(self) -> None:
        """Flush and close; with Kafka dead this takes as long as its request time-out, not longer."""
        if self._producer is not None:
            await self._producer.stop()


@lru_cache(maxsize=65_536)
def _placed(key: bytes, partitions: int) -> int:
    """Kafka's own placement; the client's murmur2 is pure Python (9 µs a key), hence the cache."""
    return int((murmur2(key) & _POSITIVE) % partitions)


def quiet_client_logs() -> None:
    """aiokafka writes up to 1,900 lines a second while a broker or topic is away; our own loops say it once. httpx
    writes a line for each call to Chatwoot; a metric counts them."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("httpx").setLevel(logging.WARNING)


async def publish(publisher: Publisher, record: Record) -> tuple[int, int]:
    """Publish one record; see Publisher.publish."""
    return await publisher.publish(record)
