"""The drainer: publishes what waits in the spool, in its order, and says when Kafka may come first again.

A partition that takes nothing (without a leader, or with too few replicas) keeps back what belongs to it, in its order,
and nothing else: its first record is offered again and again beside the others.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import suppress

import structlog

from services.ingress.spool.codec import frame
from services.ingress.spool.kept_back import KeptBack
from services.ingress.spool.metrics import SpoolMetrics
from services.ingress.spool.shelf import Chunk, ChunkOutcome
from services.ingress.spool.spool import Spool
from services.ingress.spool.switch import Switch, Way
from services.kernel import Clock, Publisher, Record, Retryable
from services.kernel.errors import describe
from services.kernel.publishing.lanes import Position
from services.kernel.publishing.verdicts import refused_for_good

# Published together; also what new records may be held for. What is offered to a Kafka that is dead or overloaded may
# arrive late and then comes twice, so after a failure one record is offered, then more and more.
_RECORDS = 1_500
_WIDER = 8  # 1, 8, 64, 512, 1,500
_AGAIN_SECONDS = 0.5
_STOP_SECONDS = 2.0
_NOT_OFFERED = Retryable("not offered")
log = structlog.get_logger()


class Drainer:
    """One per process."""

    def __init__(
        self,
        spool: Spool,
        publisher: Publisher,
        switch: Switch,
        metrics: SpoolMetrics,
        clock: Clock,
    ) -> None:
        self._spool = spool
        self._publisher = publisher
        self._switch = switch
        self._metrics = metrics
        self._clock = clock
        self._window = 1
        self._settling: asyncio.Future[None] | None = None
        self._kept_back = KeptBack(publisher, clock, again_seconds=_AGAIN_SECONDS)

    async def run(self) -> None:
        """Drain whenever there is something to drain."""
        try:
            await self._run()
        finally:
            await self._kept_back.close()

    async def _run(self) -> None:
        while True:
            await self._switch.wanted.wait()
            try:
                again_at_once = await self._turn()
            except sqlite3.Error as error:
                log.error("spool_cannot_be_read", error=str(error))
                again_at_once = False
            if not again_at_once:
                self._window = 1
                self._switch.spool_first("Kafka does not take what is in the spool")
                await self._clock.sleep(_AGAIN_SECONDS)

    @property
    def answered(self) -> bool:
        """Whether Kafka took what was offered last, as long as we are wanted."""
        return self._window > 1

    async def _turn(self) -> bool:
        """Publish what there is; False when Kafka does not take it."""
        self._kept_back.release()
        if self._kept_back and not await self._publisher.reaches_any():
            return False
        passed = self._kept_back.passed
        chunks = await self._spool.read(passed, self._window)
        if not chunks:
            return await (self._kept_back.rest() if passed else self._all_out())
        while chunks:
            whole = self._window == _RECORDS
            if whole and not self._kept_back and sum(chunk.records for chunk in chunks) >= self._spool.records:
                self._switch.hold()
            ahead = self._spool.read(chunks[-1], _RECORDS) if whole else None
            try:
                if not await self._publish(chunks):
                    return False
                chunks = await ahead if ahead else []
            finally:
                if ahead:
                    ahead.cancel()  # unless it was awaited: nobody reads what it brings, or hears what it raises
        await self._settled_before()
        return True

    async def _all_out(self) -> bool:
        """Nothing waits. What was put in before the holding began is seen by the next turn; direct comes after that."""
        if self._switch.way is Way.HOLDING:
            self._switch.direct()
            self._window = 1  # when we are wanted again, Kafka has gone away
            return True
        if not self.answered and not await self._publisher.reaches():
            return False
        self._switch.hold()
        return True

    async def _publish(self, chunks: Sequence[Chunk]) -> bool:
        """Publish and settle, to the end even when the process is told to stop meanwhile."""
        publishing = asyncio.create_task(self._offer(chunks))
        try:
            return await asyncio.shield(publishing)
        except asyncio.CancelledError:
            with suppress(TimeoutError):  # what was not settled is published again by the next process
                await asyncio.wait_for(publishing, _STOP_SECONDS)
            raise

    async def _offer(self, chunks: Sequence[Chunk]) -> bool:
        """True when Kafka took some of what it was offered, or was offered nothing.

        That is all, or the first few while it has yet to show that it is back; never what is kept back.
        """
        records = [record for chunk in chunks for record in chunk.waiting]
        outcomes = self._kept_back.outcomes(records)
        offered = [number for number, outcome in enumerate(outcomes) if outcome is None]
        some = offered if self._window == _RECORDS else offered[: self._window]
        taken = await self._publisher.publish_all([records[number] for number in some])
        for number, outcome in zip(some, taken, strict=True):
            outcomes[number] = outcome
        failed = [(records[number], why) for number, one in zip(some, taken, strict=True) if (why := _away(one))]
        self._kept_back.add(failed)
        each = iter([(record, outcome or _NOT_OFFERED) for record, outcome in zip(records, outcomes, strict=True)])
        settled = [self._settled(chunk, [next(each) for _ in chunk.waiting]) for chunk in chunks]
        await self._settled_before()
        # The disk works while the next are published; more than these two are never unsettled.
        self._settling = self._spool.settle([one for one in settled if len(one.remaining) < one.chunk.records])
        if len(some) == len(offered):
            self._kept_back.pass_by(chunks[-1])
        if len(failed) < len(some):
            self._window = min(_RECORDS, self._window * _WIDER)
        return len(failed) < len(some) or not some

    async def _settled_before(self) -> None:
        settling, self._settling = self._settling, None
        if settling is not None:
            await settling

    def _settled(self, chunk: Chunk, each: Sequence[tuple[Record, Position | Exception]]) -> ChunkOutcome:
        remaining, refused, taken = [], [], []
        for record, outcome in each:
            if not isinstance(outcome, Exception):
                taken.append(record)
                continue
            if refused_for_good(outcome):
                log.error("kafka_refuses_a_record_for_good", topic=record.topic, id=record.id, bytes=len(record.value))
                refused.append((describe(outcome), record))
            else:
                remaining.append(frame(record))
        self._metrics.drained.inc(len(taken))
        return ChunkOutcome(chunk, remaining, refused, taken)


def _away(outcome: Position | Exception) -> Exception | None:
    """What it says of Kafka; None where it is an answer to the record."""
    return outcome if isinstance(outcome, Exception) and not refused_for_good(outcome) else None
