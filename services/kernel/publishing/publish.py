"""Publishing: one producer for the process, connected by a loop of its own, so that a door opens without Kafka."""

import asyncio
from collections.abc import Sequence

import structlog
from aiokafka.errors import KafkaConnectionError, KafkaError

from schemas.topics import MAX_MESSAGE_BYTES
from services.kernel.clock import Clock
from services.kernel.errors import Retryable, describe
from services.kernel.kafka import client
from services.kernel.publishing.lanes import BATCH_BYTES, Kept, Lane, Position, Routes
from services.kernel.publishing.verdicts import NeverTaken, refused_for_good
from services.kernel.record import Record
from services.kernel.settings import Settings

_ACK_SECONDS = 2.0  # for who has no deadline of his own; Chatwoot waits 5 s
_MEET_SHARE = 1 / 3  # of the time, for the first record of a topic; the rest is for its acknowledgement
_VERDICT_SECONDS = 12.0  # twice the producer's request time-out, and a little
_REACH_SECONDS = 0.5
_CONNECT_AGAIN_SECONDS = 1.0
_REQUEST_TIMEOUT_MS = 5_000  # with aiokafka's 40 s a stop took 38 s while Kafka was dead
# AssertionError: the client's, of a partition that is gone.
_UNWELL = (KafkaError, TimeoutError, AssertionError)
log = structlog.get_logger()


class Publisher:
    """A plain producer, acks=all. Not idempotent: an idempotent one never lets a batch expire, and every record that
    was spooled meanwhile would come twice. What still comes twice is absorbed by the consumers' content keys."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._routes: Routes | None = None  # the connected producer's
        self.trouble = "it was not asked yet"  # why it is not connected, as the last try told
        self._listeners: list[Kept] = []

    @property
    def connected(self) -> bool:
        return self._routes is not None

    def on_acknowledged(self, listener: Kept) -> None:
        """Call it with what Kafka has acknowledged, in the order of each partition."""
        self._listeners.append(listener)

    async def connect(self) -> None:
        """Keep trying until Kafka answers; then the producer reconnects by itself."""
        while self._routes is None:
            producer = client.producer(
                self._settings,
                acks="all",
                compression_type="zstd",  # a fifth of the time of aiokafka's lz4 (level 9), half the bytes
                max_batch_size=BATCH_BYTES,
                max_request_size=MAX_MESSAGE_BYTES,
                request_timeout_ms=_REQUEST_TIMEOUT_MS,
                metadata_max_age_ms=30_000,
            )
            try:
                await client.started(producer, self._settings)
                self._routes = Routes(producer, self._acknowledged)
            except (KafkaError, OSError) as error:
                self.trouble = describe(error)
                log.warning("kafka_is_away", error=self.trouble)
                await self._clock.sleep(_CONNECT_AGAIN_SECONDS)

    async def publish(self, record: Record, seconds: float = _ACK_SECONDS) -> Position:
        """Partition and offset, once every in-sync replica has the record.

        Raises NeverTaken where Kafka refuses this record for good, and Retryable after so many seconds, or on any other
        error of Kafka; the record may have arrived all the same.
        """
        try:
            routes = self._reached()
            if lane := routes.known(record):
                return await lane.add(record, seconds)
            lane = await routes.found(record, seconds * _MEET_SHARE)
            return await lane.add(record, seconds * (1 - _MEET_SHARE))
        except _UNWELL as error:
            raise meaning(error) from error

    def offered(self, record: Record, seconds: float) -> "asyncio.Future[Position] | None":
        """What `publish` would wait for, where that can be had at once; what it raises `meaning` explains."""
        lane = self._routes.known(record) if self._routes else None
        return lane.add(record, seconds) if lane else None

    async def publish_all(self, records: Sequence[Record]) -> list[Position | Exception]:
        """What became of each, in the order given; waits for the client's own verdict, 5 to 12 s with Kafka dead.

        A record without an acknowledgement has seldom arrived.
        """
        try:
            routes = self._reached()
            lanes = [routes.known(record) or await routes.found(record, _VERDICT_SECONDS) for record in records]
        except _UNWELL as error:
            return [error] * len(records)
        sent = [_added(lane, record) for lane, record in zip(lanes, records, strict=True)]
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
        return [one if isinstance(one, tuple | Exception) else Retryable("cancelled") for one in outcomes]

    def place(self, record: Record) -> tuple[str, int] | None:
        """Topic and partition that its key decides; None as long as Kafka has not told of its topic."""
        return self._routes.place(record) if self._routes else None

    def longest_wait(self) -> float:
        """Seconds that the oldest record has been waited for; 0 if none is."""
        since = [batch.since for batch in self._routes.waiting()] if self._routes else []
        return asyncio.get_running_loop().time() - min(since) if since else 0.0

    def give_up(self) -> None:
        """Let everybody who waits fail now: what they wait for is known to be away."""
        for batch in self._routes.waiting() if self._routes else ():
            batch.fail(KafkaConnectionError("given up"))

    def _reached(self) -> Routes:
        if self._routes is None:
            raise KafkaConnectionError("Kafka has not been reached yet")
        return self._routes

    def _acknowledged(self, topic: str, partition: int, offset: int, count: int) -> None:
        for listener in self._listeners:
            listener(topic, partition, offset, count)

    async def reaches(self) -> bool:
        """Whether every broker that the cluster lists can be talked to."""
        return all(await self._brokers_ready())

    async def reaches_any(self) -> bool:
        """Whether one of them can."""
        return any(await self._brokers_ready())

    async def _brokers_ready(self) -> list[bool]:
        """Of each broker whether it can be talked to; no broker is none that can."""
        ready = await self._routes.brokers_ready(_REACH_SECONDS) if self._routes else []
        return ready or [False]

    async def stop(self) -> None:
        """Finish what is on its way and close; with Kafka dead this takes as long as its request time-out, not longer.

        What was only gathered fails.
        """
        if self._routes is not None:
            await self._routes.stop()


def meaning(error: BaseException) -> NeverTaken | Retryable:
    """What an error of Kafka's means for whoever offered a record."""
    if refused_for_good(error):
        return NeverTaken(describe(error))
    return Retryable(f"Kafka did not acknowledge: {type(error).__name__}")


def _added(lane: Lane, record: Record) -> "asyncio.Future[Position]":
    try:
        return lane.add(record, _VERDICT_SECONDS)
    except Exception as error:  # the others have been added, and go
        refused: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        refused.set_exception(error)
        return refused
