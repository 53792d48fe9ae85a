"""A topic of one test's own under steady load, its consumers, and the sink that they fill."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from schemas.topics import Topic
from services.kernel import Record
from tests.chaos.installation import Installation
from tests.chaos.load import Load, Numbers, numbers, playing
from tests.chaos.processes import Worker, started
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
    load: Load[Record]
    source: Numbers
    workers: list[Worker]

    async def moves(self, records: int) -> None:
        """Wait until so many more records have been applied."""
        async with self.sink.asked_often() as sink:
            before = (await sink.counts())["applied"]

            async def moved() -> bool:
                return (await sink.counts())["applied"] >= before + records

            await eventually(moved, seconds=_CATCH_UP_SECONDS)

    async def catches_up(self) -> None:
        """Wait until everything that is acknowledged by now has been applied, by whomever."""
        by_now = dict(self.source.ends)

        async with self.sink.asked_often() as sink:

            async def caught_up() -> bool:
                reached = await sink.positions()
                return all(reached.get(partition, 0) >= end for partition, end in by_now.items())

            await eventually(caught_up, seconds=_CATCH_UP_SECONDS)

    async def hears_from(self, pid: int) -> None:
        """Wait until this process has stored something from now on."""
        since = datetime.now(UTC)

        async with self.sink.asked_often() as sink:

            async def heard() -> bool:
                return bool(await sink.rows("writer = $1 and at > $2", pid, since))

            await eventually(heard, seconds=_CATCH_UP_SECONDS)

    async def settled(self) -> Told:
        """End the load, wait until everything acknowledged is applied, and tell what became of it."""
        await self.load.finish()
        await self.catches_up()
        return await self.sink.told(self.load.acknowledged)


@asynccontextmanager
async def consumed(installation: Installation, *, workers: int, static: bool = False) -> AsyncIterator[Scene]:
    """The load runs and is being consumed, by static members if so wanted. Nobody is left at the end."""
    name = f"sink_{secrets.token_hex(5)}"
    sink = Sink(installation, name, Topic(f"chaos.{name}", kept_days=1, partitions=_PARTITIONS))
    await sink.make()
    members = [sink.worker(number, static=static) for number in range(workers)]
    async with started(*members), numbers(sink) as source, playing(source, per_second=_PER_SECOND) as load:
        scene = Scene(sink, load, source, members)
        await scene.moves(1)
        yield scene
