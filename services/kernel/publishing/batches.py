"""Records of one partition that go to Kafka together, and those who wait for them."""

import asyncio
from copy import copy
from typing import Any

from services.kernel.record import Record

Place = tuple[int, int]  # partition and offset

BATCH_BYTES = 256 * 1024


class Batch:
    """Records that go together, each with somebody who waits for its place, all until `patience` is over."""

    def __init__(self, builder: Any, loop: asyncio.AbstractEventLoop, patience: float) -> None:
        self.builder = builder
        self.patience = patience
        self.since = loop.time()
        self._loop = loop
        self._waiting: list[asyncio.Future[Place]] = []
        self._late = loop.call_later(patience, self._expire)

    @property
    def awaited(self) -> bool:
        """Whether somebody still waits; what nobody waits for is not sent, and takes nobody in."""
        return bool(self._waiting)

    def suits(self, patience: float) -> bool:
        """Whether who has so much patience may join: at least half of it must be left."""
        return bool(self._waiting) and self.patience == patience and self._loop.time() < self.since + patience / 2

    def add(self, record: Record) -> "asyncio.Future[Place] | None":
        """What its sender waits for; None if the batch is full."""
        headers = list(record.headers)
        if self.builder.append(timestamp=None, key=record.key, value=record.value, headers=headers) is None:
            return None
        waiter = self._loop.create_future()
        self._waiting.append(waiter)
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

    def _expire(self) -> None:
        self.fail(TimeoutError(f"not within {self.patience:.0f} s"))

    def _over(self) -> "list[asyncio.Future[Place]]":
        self._late.cancel()
        waiting, self._waiting = self._waiting, []
        return waiting
