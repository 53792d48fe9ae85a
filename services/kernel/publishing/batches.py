"""Records of one partition that go to Kafka together, and those who wait for them."""

import asyncio
from copy import copy
from typing import Any

from services.kernel.record import Record

Place = tuple[int, int]  # partition and offset

BATCH_BYTES = 256 * 1024


class Batch:
    """Records that go together, each with somebody who waits for its place; all wait until the same moment."""

    def __init__(self, builder: Any, loop: asyncio.AbstractEventLoop, *, since: float, until: float) -> None:
        self.builder = builder
        self.since = since
        self._loop = loop
        self._until = until
        self._half = (since + until) / 2  # until then somebody has had less than half of his patience
        self._waiting: list[tuple[Record, asyncio.Future[Place]]] = []
        self._late = loop.call_at(until, self._expire)

    @property
    def awaited(self) -> bool:
        """Whether somebody still waits; what nobody waits for is not sent, and takes nobody in."""
        return bool(self._waiting)

    def add(self, record: Record) -> "asyncio.Future[Place] | None":
        """What its sender waits for, who has the batch's own patience; None if the batch is full."""
        waiter: asyncio.Future[Place] = self._loop.create_future()
        return waiter if self._put(record, waiter) else None

    def join(self, record: Record, patience: float) -> "asyncio.Future[Place] | None":
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
                waiter.set_exception(copy(error))

    def halves(self, one: Any, other: Any) -> "tuple[Batch, Batch]":
        """The same records in two batches, without those that nobody waits for; nobody's patience begins anew."""
        waiting = [(record, waiter) for record, waiter in self._waiting if not waiter.done()]
        self._over()
        middle = len(waiting) // 2
        return self._part(one, waiting[:middle]), self._part(other, waiting[middle:])

    def _part(self, builder: Any, waiting: "list[tuple[Record, asyncio.Future[Place]]]") -> "Batch":
        part = Batch(builder, self._loop, since=self.since, until=self._until)
        for record, waiter in waiting:
            part._put(record, waiter)
        return part

    def _put(self, record: Record, waiter: "asyncio.Future[Place]") -> bool:
        headers = list(record.headers)
        if self.builder.append(timestamp=None, key=record.key, value=record.value, headers=headers) is None:
            return False
        self._waiting.append((record, waiter))
        return True

    def _expire(self) -> None:
        self.fail(TimeoutError(f"not within {self._until - self.since:.1f} s"))

    def _over(self) -> "list[asyncio.Future[Place]]":
        self._late.cancel()
        waiting, self._waiting = self._waiting, []
        return [waiter for _, waiter in waiting]
