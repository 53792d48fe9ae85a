"""The drainer: publishes what waits in the spool, in its order, and says when Kafka may come first again."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import suppress

import structlog

from services.ingress.spool.codec import frame
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

    async def run(self) -> None:
        """Drain whenever there is something to drain."""
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
        chunks = await self._spool.read(None, self._window)
        if not chunks:
            return await self._all_out()
        while chunks:
            whole = self._window == _RECORDS
            if whole and sum(chunk.records for chunk in chunks) >= self._spool.records:
                self._switch.hold()
            ahead = self._spool.read(chunks[-1], _RECORDS) if whole else None
            try:
                if not await self._publish(chunks):
                    return False
                self._window = min(_RECORDS, self._window * _WIDER)
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
        """True when Kafka took what it was offered: all, or the first few while it has yet to show that it is back."""
        records = [record for chunk in chunks for record in chunk.waiting]
        offered = records if self._window == _RECORDS else records[: self._window]
        outcomes = await self._publisher.publish_all(offered)
        outcomes += [_NOT_OFFERED] * (len(records) - len(outcomes))
        each = zip(records, outcomes, strict=True)
        settled = [self._settled(chunk, [next(each) for _ in chunk.waiting]) for chunk in chunks]
        await self._settled_before()
        # The disk works while the next are published; more than these two are never unsettled.
        self._settling = self._spool.settle([one for one in settled if len(one.remaining) < one.chunk.records])
        return not any(
            isinstance(one, Exception) and not refused_for_good(one) for one in outcomes if one is not _NOT_OFFERED
        )

    async def _settled_before(self) -> None:
        settling, self._settling = self._settling, None
        if settling is not None:
            await settling

    def _settled(self, chunk: Chunk, each: Sequence[tuple[Record, Position | Exception]]) -> ChunkOutcome:
        remaining, refused = [], []
        for record, outcome in each:
            if not isinstance(outcome, Exception):
                continue
            if refused_for_good(outcome):
                log.error("kafka_refuses_a_record_for_good", topic=record.topic, id=record.id, bytes=len(record.value))
                refused.append((describe(outcome), record))
            else:
                remaining.append(frame(record))
        self._metrics.drained.inc(len(each) - len(remaining) - len(refused))
        return ChunkOutcome(chunk, remaining, refused)
