"""The ways to Kafka: one lane a partition, in which records go in their order, and what comes while some are on their
way goes together in the next batch.

The client batches, too, but spends some 25 µs on each record that it is given alone.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from schemas.topics import MAX_MESSAGE_BYTES
from services.kernel.publishing.batches import BATCH_BYTES, Batch, Place
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
        half of them where it joined others. Raises MessageSizeTooLargeError.
        """
        last = self._gathered[-1] if self._gathered else None
        if last and last.suits(patience) and (waiter := last.add(record)):
            return waiter
        _refuse_too_large(record)
        batch = Batch(self._producer.create_batch(), self._loop, patience)
        self._gathered.append(batch)
        if self._work is None:
            self._work = self._loop.create_task(self._send_all())
        waiter = batch.add(record)
        assert waiter is not None  # an empty batch takes a record of any size
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
        """Only a record by itself is known to be too large for its topic; not one among others, or behind it."""
        behind = KafkaConnectionError(f"with or behind what failed: {type(error).__name__}")
        alone = batch.builder.record_count() == 1 or not isinstance(error, MessageSizeTooLargeError)
        batch.fail(error if alone else behind)
        for one in self._gathered:
            one.fail(behind)


def _refuse_too_large(record: Record) -> None:
    """The client looks only at records that it is given alone; smaller ones than a batch need no look."""
    if len(record.value) > BATCH_BYTES:
        size = DefaultRecordBatchBuilder.estimate_size_in_bytes(record.key, record.value, list(record.headers))
        if size > MAX_MESSAGE_BYTES:
            raise MessageSizeTooLargeError(f"{size} bytes, of at most {MAX_MESSAGE_BYTES}")
