"""The ways to Kafka: one lane a partition, in which records go in their order, and what comes while some are on their
way goes together in the next batch.

The client batches, too, but spends some 25 µs on each record that it is given alone.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError

from services.kernel.publishing.batches import Batch, Place
from services.kernel.publishing.size import fits, size_in_kafka
from services.kernel.publishing.verdicts import refused_for_good
from services.kernel.record import Record

Kept = Callable[[str, int, int, int], None]  # is told topic, partition, the last offset, and how many records


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
        self._sent: Batch | None = None
        self._gathered: deque[Batch] = deque()
        self._work: asyncio.Task[None] | None = None

    def add(self, record: Record, patience: float) -> "asyncio.Future[Place]":
        """Behind what was added before. The future raises KafkaError, or TimeoutError after `patience` seconds; after
        half of them where it joined others. Raises what says that this record is refused for good.
        """
        last = self._gathered[-1] if self._gathered else None
        if last and (waiter := last.join(record, patience)):
            return waiter
        _refuse_too_large(record)
        now = self._loop.time()
        batch = Batch(self._producer.create_batch(), self._loop, since=now, until=now + patience)
        waiter = batch.add(record)
        assert waiter is not None  # an empty batch takes a record of any size
        self._gathered.append(batch)
        if self._work is None:
            self._work = self._loop.create_task(self._send_all())
        return waiter

    def waiting(self) -> list[Batch]:
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

    async def _send(self, batch: Batch) -> None:
        try:
            sent = await (await self._producer.send_batch(batch.builder, self._topic, partition=self._partition))
        except Exception as error:  # whatever it is, those who wait are the ones to know
            self._fail(batch, error)
            return
        if count := batch.settle(self._partition, sent.offset):
            self._kept(self._topic, self._partition, sent.offset + batch.builder.record_count() - 1, count)

    def _fail(self, batch: Batch, error: Exception) -> None:
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
