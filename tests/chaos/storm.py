"""Everything that the storm strikes: both servers, the webhook door, the consumers."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import httpx

from schemas.topics import WEBHOOKS
from services.control.ledger.answer import Audit
from services.control.ledger.audit import audit
from tests.chaos.installation import Installation
from tests.chaos.load import Load, playing
from tests.chaos.processes import Worker, started
from tests.chaos.recording import Generation, Part, Recording, heard
from tests.chaos.running import nothing_in_flight, run, sender, topics_of_its_own
from tests.chaos.sink import Sink, Told
from tests.eventually import eventually

Victim = Literal["consumer", "ingress", "kafka", "postgres"]
# Out of so many deaths, who dies; a server takes longest to come back.
_TURN: tuple[Victim, ...] = ("consumer", "ingress", "kafka", "postgres", "consumer", "consumer", "ingress")
_SERVICES = ("conversations", "widget", "customers", "contacts")
_PER_SECOND = 200.0
_MOST_APART = 50  # records between two strikes
_WAIT_SECONDS = 120.0


def victims(kills: int, chance: random.Random) -> list[Victim]:
    """Whom to strike, one after the other."""
    chosen = [_TURN[number % len(_TURN)] for number in range(kills)]
    chance.shuffle(chosen)
    return chosen


@dataclass
class Storm:
    """An installation at work, and what strikes it."""

    installation: Installation
    sink: Sink
    client: httpx.AsyncClient
    ingress: Worker
    consumers: Sequence[Worker]
    chance: random.Random
    played: set[int] = field(default_factory=set)  # numbers of the generations that heard everything
    _acknowledged: Counter[str] = field(default_factory=Counter)
    _load: Load[Part] | None = None
    _reviving: "asyncio.Task[None] | None" = None

    @asynccontextmanager
    async def playing(self, generations: Sequence[Generation], *, most: int | None) -> AsyncIterator[None]:
        """Send the recording, or so many webhooks of it, to one generation after the other, in a loop.

        Leaving waits for the recording's end, and until nothing is in flight any more.
        """
        recording = Recording(self.client, generations, heard(most))
        async with playing(recording, per_second=_PER_SECOND) as self._load:
            yield
            await self._revived()
            await self._load.finish()
        await nothing_in_flight(self.installation)
        self.played |= recording.played
        self._acknowledged += self._load.acknowledged

    async def passes(self) -> None:
        """Wait until chance's number of webhooks was answered, or of records applied, or not at all."""
        wait: Callable[[], Awaitable[None]] = self.chance.choice((self._more_answered, self._more_applied, _nothing))
        await wait()

    async def strikes(self, victim: Victim) -> None:
        """SIGKILL; it is started again at once, and the storm does not wait for it."""
        if victim == "consumer":
            worker = self.chance.choice(self.consumers)
            await worker.kill()
            worker.instance = self.chance.choice((None, worker.log.stem))
            await worker.start()
        elif victim == "ingress":
            await self.ingress.kill()
            await self.ingress.start()
        else:
            await self._revived()
            await self.installation.kill(victim)
            self._reviving = asyncio.create_task(self.installation.revive())

    async def told(self) -> tuple[Told, Audit]:
        """What became of everything that was answered 2xx."""
        return await self.sink.told(self._acknowledged), await audit(self.installation.settings)

    async def _revived(self) -> None:
        if self._reviving is not None:
            await self._reviving

    async def _more_answered(self) -> None:
        assert self._load is not None
        await self._load.comes_to(self._load.acknowledged.total() + self.chance.randrange(_MOST_APART))

    async def _more_applied(self) -> None:
        await self._revived()
        enough = (await self.sink.counts())["applied"] + self.chance.randrange(_MOST_APART)

        async def applied() -> bool:
            return (await self.sink.counts())["applied"] >= enough

        await eventually(applied, seconds=_WAIT_SECONDS)


async def _nothing() -> None:
    """The next strike falls at once."""


@asynccontextmanager
async def at_work(installation: Installation, chance: random.Random, *, consumers: int) -> AsyncIterator[Storm]:
    """The door and so many consumers run; nobody is left at the end."""
    async with topics_of_its_own(installation):
        sink = Sink(installation, "sink", WEBHOOKS)
        await sink.make()
        ingress = run(installation, "ingress")
        workers = [sink.worker(number, *_SERVICES) for number in range(consumers)]
        async with started(ingress, *workers), sender(ingress) as client:
            yield Storm(installation, sink, client, ingress, workers, chance)
