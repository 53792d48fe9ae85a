"""Acceptance: a record is kept, on every replica or in the spool, before anybody is answered 2xx."""

import asyncio

from services.ingress.spool.drain import Drainer
from services.ingress.spool.metrics import SpoolMetrics
from services.ingress.spool.shelf import Full
from services.ingress.spool.spool import Spool
from services.ingress.spool.switch import Switch, Way
from services.kernel import Clock, Publisher, Record, Retryable
from services.kernel.publishing.lanes import Position
from services.kernel.publishing.publish import meaning
from services.kernel.publishing.size import fits
from services.kernel.publishing.verdicts import NeverTaken

# Who comes with less could reach neither Kafka nor the disk for sure, and would make all others turn to the spool.
_LEAST_SECONDS = 0.5


class NoRoom(Exception):
    """Neither Kafka nor the spool can take it now: the sender gets 503 and the reason is in /ready."""


class TooLarge(Exception):
    """No topic of ours takes a record of this size."""


class Acceptance:
    """Where the doors hand in what they verified.

    A sender's time is shared out: each step has half of what is left, so that the next one has as much.
    """

    def __init__(
        self,
        publisher: Publisher,
        spool: Spool,
        switch: Switch,
        drainer: Drainer,
        metrics: SpoolMetrics,
        *,
        clock: Clock,
        answer_seconds: float,
    ) -> None:
        self._publisher = publisher
        self._clock = clock
        self._half_seconds = answer_seconds / 2
        self.spool = spool
        self.switch = switch
        self.drainer = drainer
        self._in_kafka = metrics.kept.labels("kafka")
        self._in_spool = metrics.kept.labels("spool")
        self._never_taken = metrics.never_taken

    async def keep(self, record: Record, deadline: float) -> None:
        """Return once the record is durable. Raises TooLarge, NeverTaken, or NoRoom by the deadline of our clock."""
        # Before any wait: what no topic takes needs neither Kafka nor the disk to be refused.
        if not fits(record):
            raise TooLarge
        if self._left(deadline) < _LEAST_SECONDS:
            raise NoRoom("what came before has taken all the time")
        way = self.switch.way
        if way is Way.HOLDING:
            way = await self.switch.decided(self._share(deadline))
        if way is Way.DIRECT:
            try:
                await self._publish(record, self._share(deadline))
            except Retryable as away:
                # It may have arrived all the same: then it comes twice, and the consumers' content keys absorb it.
                self.switch.spool_first(str(away))
            else:
                return
        try:
            in_time = self._share(deadline) if self.drainer.answered else self._left(deadline)
            await self.spool.put(record, in_time)
            self._in_spool.inc()
        except Full as full:
            await self._publish_in_spite(record, full, deadline)

    def offered(self, record: Record, deadline: float) -> "asyncio.Future[Position] | None":
        """Kafka's acknowledgement, if nothing but that is to be waited for; `kept` tells what has become of it.

        None, not kept, or an error of a record that is too large: `keep` is the way.
        """
        if self.switch.way is not Way.DIRECT or self._share(deadline) < self._half_seconds:
            return None
        return self._publisher.offered(record, self._half_seconds)

    def kept(self, offered: "asyncio.Future[Position]") -> bool:
        """Whether the record is durable. Raises NeverTaken."""
        if (error := offered.exception()) is None:
            self._in_kafka.inc()
            return True
        away = meaning(error)
        if isinstance(away, NeverTaken):
            self._never_taken.inc()
            raise away
        self.switch.spool_first(str(away))
        return False

    async def _publish(self, record: Record, seconds: float) -> None:
        try:
            await self._publisher.publish(record, seconds)
        except NeverTaken:
            self._never_taken.inc()
            raise
        self._in_kafka.inc()

    async def _publish_in_spite(self, record: Record, full: Full, deadline: float) -> None:
        """Out of its order, but not refused: the spool takes no more, and Kafka takes what is drained."""
        left = self._left(deadline)
        if not self.drainer.answered or left <= 0:
            raise NoRoom(str(full)) from full
        try:
            await self._publish(record, left)
        except Retryable as away:
            raise NoRoom(str(away)) from away

    def _left(self, deadline: float) -> float:
        return deadline - self._clock.monotonic()

    def _share(self, deadline: float) -> float:
        """Half of what is left; the same for all who have most of it, for in Kafka's batches they go together."""
        left = self._left(deadline)
        return self._half_seconds if left > 1.5 * self._half_seconds else left / 2
