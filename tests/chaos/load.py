"""Traffic: one thing after the other, each offered until it is acknowledged."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Generic, Protocol, TypeVar

import orjson

from local.replay.pace import at_rate
from services.kernel import Record, Retryable
from services.kernel.clock import Clock
from services.kernel.publishing.publish import Publisher
from tests.chaos.consuming import digest
from tests.chaos.sink import Sink
from tests.eventually import eventually

Item = TypeVar("Item")

_AGAIN_SECONDS = 0.05
_KEYS = 64
_PATIENCE_SECONDS = 300.0  # on a machine that has much else to do


class Source(Protocol[Item]):
    """What is played, and to whom."""

    def items(self, ending: Callable[[], bool]) -> Iterator[Item]:
        """What to play, until the end is wanted and a good place for it has come."""

    async def send(self, item: Item) -> str | None:
        """Its digest once it is acknowledged; None: not taken, to be offered again."""


class Load(Generic[Item]):
    """A source being played, and how far it came."""

    def __init__(self, source: Source[Item], *, per_second: float) -> None:
        self.acknowledged: Counter[str] = Counter()  # digest → times
        self._source = source
        self._ending = False
        self._player = asyncio.create_task(
            at_rate(source.items(lambda: self._ending), self._offer, per_second=per_second)
        )

    async def _offer(self, item: Item) -> None:
        while (kept := await self._source.send(item)) is None:
            await asyncio.sleep(_AGAIN_SECONDS)
        self.acknowledged[kept] += 1

    async def comes_to(self, acknowledged: int) -> None:
        """Wait until so many were acknowledged."""
        await eventually(lambda: self.acknowledged.total() >= acknowledged, seconds=_PATIENCE_SECONDS)

    async def finish(self) -> None:
        """Say that the end is wanted, and wait until the source has come to it."""
        self._ending = True
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await self._player

    async def stop(self) -> None:
        self._player.cancel()
        await asyncio.gather(self._player, return_exceptions=True)


@asynccontextmanager
async def playing(source: Source[Item], *, per_second: float) -> AsyncIterator[Load[Item]]:
    """Play for the length of a `with`, unless `finish` ended it before."""
    load = Load(source, per_second=per_second)
    try:
        yield load
    finally:
        await load.stop()


class Numbers:
    """Records without end, each another, over all partitions, straight into the topic."""

    def __init__(self, sink: Sink, publisher: Publisher) -> None:
        self._sink = sink
        self._publisher = publisher
        self.ends: dict[int, int] = {}  # partition → one past the highest offset that was acknowledged

    def items(self, ending: Callable[[], bool]) -> Iterator[Record]:
        for number in count():
            if ending():
                return
            yield Record.accepted(
                self._sink.topic.name, key=b"%d" % (number % _KEYS), value=orjson.dumps({"n": number}),
                store=self._sink.store, event="number", origin="shop", received_at=datetime.now(UTC),
            )  # fmt: skip

    async def send(self, record: Record) -> str | None:
        try:
            partition, offset = await self._publisher.publish(record)
        except Retryable:
            return None
        self.ends[partition] = max(offset + 1, self.ends.get(partition, 0))
        return digest(record.store, record.value)


@asynccontextmanager
async def numbers(sink: Sink) -> AsyncIterator[Numbers]:
    """Numbers with a producer of their own."""
    publisher = Publisher(sink.installation.settings, Clock())
    await publisher.connect()
    try:
        yield Numbers(sink, publisher)
    finally:
        await publisher.stop()
