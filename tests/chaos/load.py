"""Traffic: records offered one after the other, each until Kafka has acknowledged it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count

import orjson

from demo.pace import at_rate
from services.kernel import Record, Retryable
from services.kernel.clock import Clock
from services.kernel.publish import Publisher
from tests.chaos.consuming import digest
from tests.chaos.sink import Sink

_AGAIN_SECONDS = 0.05
_KEYS = 64


class Load:
    """What is being played, and how far it came."""

    def __init__(self, sink: Sink, records: Callable[["Load"], Iterator[Record]], per_second: float) -> None:
        self.sink = sink
        self.ending = False
        self.sent = 0
        self.ends: dict[int, int] = {}  # partition → one past the highest offset that was acknowledged
        self._publisher = Publisher(sink.installation.settings, Clock())
        self._player = asyncio.create_task(self._play(records(self), per_second))

    async def _play(self, records: Iterator[Record], per_second: float) -> None:
        await self._publisher.connect()
        await at_rate(records, self._offer, per_second=per_second)

    async def _offer(self, record: Record) -> None:
        """A door would spool what Kafka does not acknowledge; here it is offered again, and may be in the log twice."""
        while True:
            try:
                partition, offset = await self._publisher.publish(record)
                break
            except Retryable:
                await asyncio.sleep(_AGAIN_SECONDS)
        self.sent += 1
        self.sink.acknowledged[digest(record.store, record.value)] += 1
        self.ends[partition] = max(offset + 1, self.ends.get(partition, 0))

    async def finish(self) -> None:
        """Say that the end is wanted, and wait until the records have come to it."""
        self.ending = True
        await self._player

    async def stop(self) -> None:
        self._player.cancel()
        await asyncio.gather(self._player, return_exceptions=True)
        await self._publisher.stop()


def numbers(load: Load) -> Iterator[Record]:
    """Records without end, each another, over all partitions."""
    for number in count():
        if load.ending:
            return
        yield Record.accepted(
            load.sink.topic.name, key=b"%d" % (number % _KEYS), value=orjson.dumps({"n": number}),
            store=load.sink.store, event="number", origin="shop", received_at=datetime.now(UTC),
        )  # fmt: skip


@asynccontextmanager
async def playing(
    sink: Sink, records: Callable[[Load], Iterator[Record]] = numbers, *, per_second: float
) -> AsyncIterator[Load]:
    """Play for the length of a `with`, unless `finish` ended it before."""
    load = Load(sink, records, per_second)
    try:
        yield load
    finally:
        await load.stop()
