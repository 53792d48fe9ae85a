"""The ways to Kafka: one lane a partition, in which records go in their order, and what comes while some are on their
way goes together in the next batch. Which lane a record takes its key decides, as with Kafka's own clients.

The client batches, too, but spends some 25 µs on each record that it is given alone.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from copy import copy
from functools import lru_cache
from typing import Any

from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from aiokafka.partitioner import murmur2

from services.kernel.publishing.size import fits, size_in_kafka
from services.kernel.publishing.verdicts import refused_for_good
from services.kernel.record import Record

Kept = Callable[[str, int, int, int], None]  # called with topic, partition, the last offset, and how many records
Position = tuple[int, int]  # partition and offset
BATCH_BYTES = 256 * 1024
# Adds little to an acknowledgement, and under load lets a request carry dozens of records.
_LINGER_SECONDS = 0.002
_POSITIVE = 0x7FFFFFFF  # Java's int without its sign: Kafka's partitioner takes the hash so


class LaneBatch:
    """Records that go together, each with somebody who waits for its position; all wait until the same moment."""

    def __init__(self, builder: Any, loop: asyncio.AbstractEventLoop, *, since: float, until: float) -> None:
        self.builder = builder
        self.since = since
        self._loop = loop
        self._until = until
        self._half = (since + until) / 2  # until then somebody has had less than half of his patience
        self._waiting: list[tuple[Record, asyncio.Future[Position]]] = []
        self._late = loop.call_at(until, self._expire)

    @property
    def awaited(self) -> bool:
        """Whether somebody still waits; what nobody waits for is not sent, and takes nobody in."""
        return bool(self._waiting)

    def add(self, record: Record) -> "asyncio.Future[Position] | None":
        """What its sender waits for, who has the batch's own patience; None if the batch is full."""
        waiter: asyncio.Future[Position] = self._loop.create_future()
        return waiter if self._put(record, waiter) else None

    def join(self, record: Record, patience: float) -> "asyncio.Future[Position] | None":
        """The same for who comes later, if his patience suits: nobody waits longer than his own, all for half of it."""
        now = self._loop.time()
        own, half = now + patience, now + patience / 2
        # min and max would take a tenth of the time of this method, which every record goes through.
        until = own if own < self._until else self._until
        if half < self._half:
            half = self._half
        if until <= half or not self._waiting or (waiter := self.add(record)) is None:
            return None
        self._half = half
        if until < self._until:
            self._late.cancel()
            self._until = until
            self._late = self._loop.call_at(until, self._expire)
        return waiter

    def settle(self, partition: int, first: int) -> int:
        """Kafka has them all, from this offset on. Answers for how many somebody still waited."""
        settled = 0
        for offset, waiter in enumerate(self._over(), first):
            if not waiter.done():
                waiter.set_result((partition, offset))
                settled += 1
        return settled

    def fail(self, error: Exception) -> None:
        for waiter in self._over():
            if not waiter.done():
                waiter.set_exception(copy(error))  # one of his own, for tracebacks grow with each raise

    def halves(self, builder: Any, other: Any) -> "tuple[LaneBatch, LaneBatch]":
        """The same records in two batches, without those that nobody waits for; nobody's patience begins anew."""
        waiting = [(record, waiter) for record, waiter in self._waiting if not waiter.done()]
        self._over()
        middle = len(waiting) // 2
        return self._part(builder, waiting[:middle]), self._part(other, waiting[middle:])

    def _part(self, builder: Any, waiting: "list[tuple[Record, asyncio.Future[Position]]]") -> "LaneBatch":
        part = LaneBatch(builder, self._loop, since=self.since, until=self._until)
        for record, waiter in waiting:
            part._put(record, waiter)
        return part

    def _put(self, record: Record, waiter: "asyncio.Future[Position]") -> bool:
        headers = list(record.headers)
        if self.builder.append(timestamp=None, key=record.key, value=record.value, headers=headers) is None:
            return False
        self._waiting.append((record, waiter))
        return True

    def _expire(self) -> None:
        self.fail(TimeoutError(f"not within {self._until - self.since:.1f} s"))

    def _over(self) -> "list[asyncio.Future[Position]]":
        self._late.cancel()
        waiting, self._waiting = self._waiting, []
        return [waiter for _, waiter in waiting]


class Tick:
    """A short wait that all who come meanwhile share: their batches leave in one request."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._over: asyncio.Event | None = None

    async def wait(self) -> None:
        if self._over is None:
            self._over = asyncio.Event()
            asyncio.get_running_loop().call_later(self._seconds, self._end)
        await self._over.wait()

    def _end(self) -> None:
        if self._over is not None:
            self._over.set()
            self._over = None


class Lane:
    """One partition. At most one batch is on its way; what follows waits, and fails with it, to be offered again."""

    def __init__(self, producer: Any, topic: str, partition: int, tick: Tick, kept: Kept) -> None:
        self._producer = producer
        self._topic = topic
        self._partition = partition
        self._tick = tick
        self._kept = kept
        self._loop = asyncio.get_running_loop()
        self._sent: LaneBatch | None = None
        self._gathered: deque[LaneBatch] = deque()
        self._work: asyncio.Task[None] | None = None

    def add(self, record: Record, patience: float) -> "asyncio.Future[Position]":
        """Behind what was added before. The future raises KafkaError, or TimeoutError after `patience` seconds; after
        half of them where it joined others. Raises what says that this record is refused for good.
        """
        last = self._gathered[-1] if self._gathered else None
        if last and (waiter := last.join(record, patience)):
            return waiter
        _refuse_too_large(record)
        now = self._loop.time()
        batch = LaneBatch(self._producer.create_batch(), self._loop, since=now, until=now + patience)
        waiter = batch.add(record)
        assert waiter is not None  # an empty batch takes a record of any size
        self._gathered.append(batch)
        if self._work is None:
            self._work = self._loop.create_task(self._send_all())
        return waiter

    def waiting(self) -> list[LaneBatch]:
        """What somebody waits for, oldest first."""
        return [one for one in (self._sent, *self._gathered) if one and one.awaited]

    def close(self) -> None:
        """Who still waits raises KafkaConnectionError."""
        for one in self.waiting():
            one.fail(KafkaConnectionError("the producer has stopped"))
        if self._work is not None:
            self._work.cancel()

    async def _send_all(self) -> None:
        try:
            await self._tick.wait()
            while self._gathered:
                self._sent = self._gathered.popleft()
                if self._sent.awaited:
                    await self._send(self._sent)
        finally:
            self._sent = self._work = None

    async def _send(self, batch: LaneBatch) -> None:
        try:
            sent = await (await self._producer.send_batch(batch.builder, self._topic, partition=self._partition))
        except Exception as error:  # whatever it is, those who wait are the ones to know
            self._fail(batch, error)
            return
        if count := batch.settle(self._partition, sent.offset):
            self._kept(self._topic, self._partition, sent.offset + batch.builder.record_count() - 1, count)

    def _fail(self, batch: LaneBatch, error: Exception) -> None:
        """What is about one record fails that record alone: it is looked for in halves, and those behind it go on."""
        if not refused_for_good(error):
            batch.fail(error)
            behind = KafkaConnectionError(f"behind what failed: {type(error).__name__}")
            for one in self._gathered:
                one.fail(behind)
        elif batch.builder.record_count() == 1:
            batch.fail(error)
        else:
            self._gathered.extendleft(
                reversed(batch.halves(self._producer.create_batch(), self._producer.create_batch()))
            )


def _refuse_too_large(record: Record) -> None:
    """The client looks only at records that it is given alone; what joined a batch was smaller than one."""
    if not fits(record):
        raise MessageSizeTooLargeError(f"{size_in_kafka(record)} bytes are more than its topic takes")


class Routes:
    """A started producer and its lanes, opened as they are needed."""

    def __init__(self, producer: Any, kept: Kept) -> None:
        self._producer = producer
        self._kept = kept
        self._tick = Tick(_LINGER_SECONDS)
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._partitions: dict[str, int] = {}  # how many a topic has, until Kafka tells anew
        producer.client.cluster.add_listener(lambda _: self._partitions.clear())

    def known(self, record: Record) -> Lane | None:
        """Its lane; None for a topic not met before."""
        place = self.place(record)
        return place and (self._lanes.get(place) or self._open(*place))

    def place(self, record: Record) -> tuple[str, int] | None:
        """Where its key puts it; None for a topic not met before."""
        partitions = self._partitions.get(record.topic) or self._told_partitions(record.topic)
        if not partitions:
            return None
        return record.topic, _placed(record.key or record.identity.encode(), partitions)

    def _told_partitions(self, topic: str) -> int:
        """The client makes a set of them each time that it is asked."""
        partitions = len(self._producer.client.cluster.partitions_for_topic(topic) or ())
        if partitions:
            self._partitions[topic] = partitions
        return partitions

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

    async def brokers_ready(self, seconds: float) -> list[bool]:
        """Of each broker that the cluster lists whether it can be talked to within so long."""
        brokers = self._producer.client.cluster.brokers()
        return await asyncio.gather(*(self._is_ready(broker.nodeId, seconds) for broker in brokers))

    async def stop(self) -> None:
        """Let the producer finish and close; what was only gathered fails."""
        try:
            await self._producer.stop()
        finally:
            for lane in self._lanes.values():
                lane.close()

    async def _is_ready(self, broker: int, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return bool(await self._producer.client.ready(broker))
        except TimeoutError:
            return False

    def _open(self, topic: str, partition: int) -> Lane:
        self._lanes[topic, partition] = lane = Lane(self._producer, topic, partition, self._tick, self._kept)
        return lane


@lru_cache(maxsize=65_536)
def _placed(key: bytes, partitions: int) -> int:
    """Kafka's own placement; the client's murmur2 is pure Python (9 µs a key), hence the cache."""
    return int((murmur2(key) & _POSITIVE) % partitions)
