"""Partitions that take nothing while others do: of each, the first record is offered until it is taken."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from services.ingress.spool.shelf import Chunk
from services.kernel import Clock, Publisher, Record, Retryable
from services.kernel.errors import describe
from services.kernel.publishing.lanes import Position
from services.kernel.publishing.verdicts import refused_for_good

_NOWHERE = -1  # the partition of a record whose topic Kafka has not told of: all of that topic waits behind it
_KEPT_BACK = Retryable("kept back")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FirstRecord:
    """The record that all others of its partition wait for, and the task that brings about where Kafka has it."""

    record: Record
    taken: asyncio.Task[Position | None]


class KeptBack:
    """True while there are such partitions. Changed by the drainer alone, so that what it reads stays so meanwhile."""

    def __init__(self, publisher: Publisher, clock: Clock, *, again_seconds: float) -> None:
        # The last chunk of which everything was offered that is not kept back; None: none.
        self.passed: Chunk | None = None
        self._publisher = publisher
        self._clock = clock
        self._again_seconds = again_seconds
        self._first: dict[tuple[str, int], FirstRecord] = {}
        self._taken: dict[str, Position] = {}  # of first records, by identity, until their chunk was settled

    def __bool__(self) -> bool:
        return bool(self._first)

    def release(self) -> None:
        """Let go what is kept back no longer: from the first chunk on it is looked for again."""
        for place, first in [*self._first.items()]:
            if first.taken.done():
                del self._first[place]
                self.passed = None
                if position := first.taken.result():
                    self._taken[first.record.identity] = position
                log.info("partition_takes_again", topic=place[0], partition=place[1])

    def outcomes(self, records: Sequence[Record]) -> list[Position | Exception | None]:
        """Of each record where it was taken as the first, or that it is kept back; None: it may be offered."""
        return [self._outcome(record) for record in records]

    def add(self, failed: Iterable[tuple[Record, Exception]]) -> None:
        """Keep back the partitions of these records, of which no earlier one waits."""
        for record, error in failed:
            place = self._place(record)
            if place not in self._first:
                log.warning("partition_takes_nothing", topic=place[0], partition=place[1], error=describe(error))
                self._first[place] = FirstRecord(record, asyncio.create_task(self._offer(record)))

    def pass_by(self, chunk: Chunk) -> None:
        """Everything up to this chunk was offered, but for what is kept back."""
        self.passed = chunk if self._first else None

    async def rest(self) -> bool:
        """Nothing else waits: look again soon, or as soon as a partition takes its first."""
        pause = asyncio.create_task(self._clock.sleep(self._again_seconds))
        try:
            await asyncio.wait({pause, *(one.taken for one in self._first.values())}, return_when="FIRST_COMPLETED")
        finally:
            pause.cancel()
        return True

    async def close(self) -> None:
        """What was offered last and not acknowledged comes again from the next process."""
        tasks = [first.taken for first in self._first.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _place(self, record: Record) -> tuple[str, int]:
        return self._publisher.place(record) or (record.topic, _NOWHERE)

    def _outcome(self, record: Record) -> Position | Exception | None:
        if not self._first and not self._taken:
            return None
        if taken := self._taken.pop(record.identity, None):
            return taken
        waits = self._place(record) in self._first or (record.topic, _NOWHERE) in self._first
        return _KEPT_BACK if waits else None

    async def _offer(self, record: Record) -> Position | None:
        """Where Kafka has it in the end; None where it refuses it for good, which the next who offers it is to hear."""
        while True:
            await self._clock.sleep(self._again_seconds)
            [outcome] = await self._publisher.publish_all([record])
            if not isinstance(outcome, Exception):
                return outcome
            if refused_for_good(outcome):
                return None
