"""Where one consumer stands in each of its partitions: which positions to settle, and what stands still."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError

from db.records.ledger import LedgerRow
from services.kernel.consuming.lag import Lag
from services.kernel.consuming.liveness import Liveness
from services.kernel.consuming.probe import Here, Probe
from services.kernel.consuming.standstill import Standstill
from services.kernel.every import every
from services.kernel.kafka.log_reader import Reader
from services.kernel.process import Process
from services.kernel.record import Record

# A handler is called for records alone: on a quiet topic a ledger that was restored to an older state, or adopted,
# would stand still for ever if nobody looked.
_LOOK_SECONDS = 3.0
_POSITION_SECONDS = 10.0  # aiokafka waits without end for a position that it does not know yet
log = structlog.get_logger()


class PartitionControl:
    """Moves and halts partitions, as long as they are ours. A halted one pauses alone; the others go on."""

    def __init__(self, process: Process, group: str, topic: str) -> None:
        self._gauge = process.metrics.halted.labels(group, topic)
        self._group = group
        self._topic = topic
        self.subscriber: Any = None
        self.halted: dict[int, str] = {}
        self.moved: set[int] = set()  # sought, paused or given away since somebody emptied it

    @property
    def consumer(self) -> Any:
        """FastStream's consumer, None before its start and after its stop."""
        return self.subscriber.consumer if self.subscriber else None

    async def position(self, partition: int) -> int | None:
        """The next offset to be fetched, or None when the partition is no longer ours. Raises TimeoutError."""
        if (consumer := self.consumer) is None:
            return None
        try:
            async with asyncio.timeout(_POSITION_SECONDS):
                return int(await consumer.position(TopicPartition(self._topic, partition)))
        except IllegalStateError:
            return None

    def seek(self, partition: int, offset: int) -> None:
        self.moved.add(partition)
        self._if_ours(partition, lambda consumer, tp: consumer.seek(tp, offset))

    def pause(self, partition: int) -> None:
        self.moved.add(partition)
        self._if_ours(partition, lambda consumer, tp: consumer.pause(tp))

    def resume(self, partition: int) -> None:
        self._if_ours(partition, lambda consumer, tp: consumer.resume(tp))

    def count(self) -> int:
        """How many partitions the topic has; 0 as long as nobody has told."""
        return len(self.consumer.partitions_for_topic(self._topic) or ())

    def join_again(self) -> None:
        """Ask the group for a new assignment.

        aiokafka looks for added partitions only where it made the assignment itself, and static members that were all
        restarted have one that nobody of them made. To Kafka one of them leads nevertheless, and it is heard.
        """
        self.consumer._coordinator.request_rejoin()

    def forget(self, partition: int) -> None:
        """It is somebody else's now."""
        self.moved.add(partition)
        self.halted.pop(partition, None)
        self._gauge.set(len(self.halted))

    def halt_or_resume(self, partition: int, reason: str | None) -> None:
        """Pause the partition while there is a reason."""
        about = {"group": self._group, "topic": self._topic, "partition": partition}
        if reason and self.halted.get(partition) != reason:
            self.halted[partition] = reason
            log.error("partition_halted", **about, reason=reason)
        elif not reason and partition in self.halted:
            del self.halted[partition]
            log.info("partition_resumed", **about)
            self.resume(partition)
        if reason:
            self.pause(partition)
        self._gauge.set(len(self.halted))

    def _if_ours(self, partition: int, act: Callable[[Any, TopicPartition], None]) -> None:
        try:
            if self.consumer is not None:
                act(self.consumer, TopicPartition(self._topic, partition))
        except IllegalStateError:  # a rebalance gave it away meanwhile: its new owner settles it
            log.debug("partition_went_away", group=self._group, topic=self._topic, partition=partition)


class Positions(ConsumerRebalanceListener):  # type: ignore[misc]
    """No seek in the rebalance listener and no drain at revocation: lock and filter are enough. It only takes notes."""

    def __init__(self, process: Process, group: str, topic: str) -> None:
        self._process = process
        self._group = group
        self._topic = topic
        self._reader = Reader(process.settings, topic)
        self._probe = Probe(process, group, topic, self._reader)
        self._lock = asyncio.Lock()
        self._unchecked: set[int] = set()
        self._seen: dict[int, tuple[int | None, int | None]] = {}  # position and ledger as of the last round
        self._arriving: Collection[int] = ()
        self._partitions = PartitionControl(process, group, topic)
        self._standstill = Standstill(process, group, topic)
        self._lag = Lag(process, group, topic, self._reader)
        self._assigned = asyncio.Event()
        self._known = 0  # partitions of the topic
        self.liveness = Liveness(process.clock, group, topic)

    def watch(self, subscriber: Any) -> None:
        """Look around for the life of the process."""
        self._partitions.subscriber = subscriber
        self._process.site.live_unless(self.liveness.fault)
        self._process.at_close(self._reader.stop)
        name = f"positions {self._group} {self._topic}"
        every(self._process, self._look_around, name=name, seconds=_LOOK_SECONDS, wake=self._assigned)

    # What the rebalance listener notes

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        for tp in revoked:
            self._partitions.forget(tp.partition)
        self._standstill.end(tp.partition for tp in revoked)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._unchecked = {tp.partition for tp in assigned}
        self._assigned.set()

    # What the handler tells

    @asynccontextmanager
    async def working(self, partitions: Collection[int]) -> AsyncIterator[None]:
        """A batch of these partitions is in hand: the positions are the handler's."""
        self._arriving = partitions
        # One at a time: a batch and a round would move the same position under each other.
        async with self._lock:
            self._arriving = ()
            self.liveness.beat()
            try:
                yield
            finally:
                self.liveness.rest()

    def unchecked(self, held: Sequence[Record]) -> list[Record]:
        """Those of the records held whose partitions nobody has looked at since they were assigned."""
        return [one for one in held if one.partition in self._unchecked] if self._unchecked else []

    async def settle(self, here: Mapping[int, Here]) -> set[int]:
        """Settle these positions; return the partitions that moved or halted: nothing held of them may be applied."""
        probed = await self._probe.settle(here) if here else {}
        # Of what came in while we looked, the position has moved on: its handler settles it.
        settled = {partition: found for partition, found in probed.items() if partition not in self._arriving}
        for partition, found in settled.items():
            self._unchecked.discard(partition)
            if found.seek is not None:
                self._partitions.seek(partition, found.seek)
            self._partitions.halt_or_resume(partition, found.halt)
            if found.how and found.halt is None:
                self._process.metrics.mended.labels(self._group, found.how).inc()
                log.info("position_settled", group=self._group, topic=self._topic, partition=partition, how=found.how)
        return {partition for partition, found in settled.items() if found.seek is not None or found.halt}

    def mark(self) -> None:
        """Something was fetched just now, in advance."""
        self._partitions.moved.clear()

    def unmoved(self, fetched: Sequence[Record]) -> Sequence[Record]:
        """Those of the records fetched at the mark whose partitions were not sought, paused or given away since."""
        moved = self._partitions.moved
        return [one for one in fetched if one.partition not in moved] if moved else fetched

    def give_back(self, held: Mapping[int, Here]) -> None:
        """Let Kafka hand these out again: the handler has used up its time."""
        for partition, here in held.items():
            self._partitions.seek(partition, here.start)

    def stand_still(self, partitions: Collection[int], error: Exception) -> None:
        """What is in hand of these cannot go on, and the world is well: they wait, the others go on."""
        self._standstill.begin(partitions, error)
        for one in partitions:
            self._partitions.pause(one)

    def went_on(self, partitions: Collection[int]) -> None:
        """A transaction of these was committed."""
        self._standstill.end(partitions)
        self.liveness.beat()

    # Its own round, every few seconds

    async def _look_around(self) -> bool:
        """Tell how far we are, and settle what is unsettled while nothing is in hand."""
        self._assigned.clear()
        consumer = self._partitions.consumer
        if consumer is None:
            return False
        if await self._were_added():
            log.info("partitions_were_added", group=self._group, topic=self._topic)
            self._partitions.join_again()
        for partition in self._standstill.over():
            if partition not in self._partitions.halted:
                self._partitions.resume(partition)
        ours = sorted(tp.partition for tp in consumer.assignment())
        # The ledger first: a log that now ends below what the ledger had already said is another one.
        before = await self._probe.rows(ours)
        bounds = await self._reader.bounds(ours)
        # Before the lock, and no longer behind it than a round: a batch that waits for rows that somebody else holds is
        # just when lag must be seen. Of what such a batch holds, its handler settles the positions.
        await self._lag.measure(before, bounds)
        if await self._nothing_in_hand():
            try:
                await self.settle(await self._unsettled(before, bounds))
            finally:
                self._lock.release()
        await self._lag.commit(consumer, before)
        return False

    async def _were_added(self) -> bool:
        """Whether there are partitions that nobody of the group was given: added since the last round, or before the
        first, while all of us were down. Static members are then given what they had."""
        now = self._partitions.count()
        # Whoever is given a partition begins its row.
        before = self._known or len(await self._probe.rows(range(now)))
        self._known = now
        return 0 < before < now

    async def _nothing_in_hand(self) -> bool:
        """Take the lock, unless a batch keeps it for a whole round."""
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                return await self._lock.acquire()
        except TimeoutError:
            return False

    async def _unsettled(
        self, before: Mapping[int, LedgerRow], bounds: Mapping[int, tuple[int, int]]
    ) -> dict[int, Here]:
        """Partitions new to us, halted, or quiet without agreeing with the ledger or the log.

        Where records flow, the position is ahead of the ledger by what is on its way to the handler, and asking the log
        about that would hold it up for a second in each round.
        """
        rows = await self._probe.rows(bounds)
        unsettled: dict[int, Here] = {}
        for partition, (begin, end) in bounds.items():
            at = await self._partitions.position(partition)
            known = rows.get(partition) if partition in before else None
            agrees = known and begin <= known.next_offset == at and before[partition].next_offset <= end
            now = at, known.next_offset if known else None
            quiet, self._seen[partition] = self._seen.get(partition) == now, now
            wanted = (quiet and not agrees) or partition in self._unchecked or partition in self._partitions.halted
            if at is not None and wanted:
                unsettled[partition] = Here(at)
        return unsettled
