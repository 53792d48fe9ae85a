"""A topic of one test's own under steady load, its consumers, and the sink that they fill."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from schemas.topics import Topic
from tests.chaos.installation import Installation
from tests.chaos.load import Load, playing
from tests.chaos.processes import Worker, end
from tests.chaos.sink import Sink, Told
from tests.eventually import eventually

_PARTITIONS = 4
_PER_SECOND = 300.0
# A member that died without a word is missed after its session; then everything that waited has to be caught up.
_CATCH_UP_SECONDS = 60.0


@dataclass(frozen=True)
class Scene:
    """What a test attacks and what it looks at."""

    sink: Sink
    load: Load
    workers: list[Worker]

    async def moves(self, records: int) -> None:
        """Wait until so many more records have been applied."""
        before = (await self.sink.counts())["applied"]

        async def moved() -> bool:
            return (await self.sink.counts())["applied"] >= before + records

        await eventually(moved, seconds=_CATCH_UP_SECONDS)

    async def settled(self) -> Told:
        """End the load, wait until everything acknowledged is applied, and tell what became of it."""
        await self.load.finish()
        await eventually(self.sink.has_all, seconds=_CATCH_UP_SECONDS)
        return await self.sink.told()


@asynccontextmanager
async def consumed(installation: Installation, *, workers: int, **more: str) -> AsyncIterator[Scene]:
    """The load runs and is being consumed; `more` is told to every worker. Nobody is left at the end."""
    name = f"sink_{secrets.token_hex(5)}"
    sink = Sink(installation, name, Topic(f"chaos.{name}", kept_days=1, partitions=_PARTITIONS))
    await sink.make()
    started = [sink.worker(number, **more) for number in range(workers)]
    try:
        for worker in started:
            await worker.start()
        async with playing(sink, per_second=_PER_SECOND) as load:
            scene = Scene(sink, load, started)
            await scene.moves(1)
            yield scene
    finally:
        await end(started)
