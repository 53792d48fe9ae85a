"""The lookout of one consumer: whose positions to settle, what stands still, whether it lives."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError

from db import ledger
from services.kernel.every import every
from services.kernel.offer import Offered
from services.kernel.probe import Probe, Settled, position
from services.kernel.process import Process
from services.kernel.record import Record

_LOOK_SECONDS = 3.0
_STUCK_SECONDS = 60.0
_ANSWER_SECONDS = 10.0
log = structlog.get_logger()


class Lookout(ConsumerRebalanceListener):  # type: ignore[misc]
    """No seek in the rebalance listener and no drain at revocation: lock and filter are enough. It only takes notes."""

    def __init__(self, process: Process, group: str, topic: str) -> None:
        self._process = process
        self._group = group
        self._topic = topic
        self._probe = Probe(process, group, topic)
        self._lock = asyncio.Lock()
        self._subscriber: Any = None
        self._unchecked: set[int] = set()
        self._halted: dict[int, str] = {}
        self._positions: dict[int, int] = {}
        self._busy_since: float | None = None

    def watch(self, subscriber: Any) -> None:
        """Look around for the life of the process."""
        self._subscriber = subscriber
        self._process.site.faults.append(self._stuck)
        self._process.at_close(self._probe.stop)
        every(
            self._process,
            self._look_around,
            name=f"lookout {self._group} {self._topic}",
            seconds=_LOOK_SECONDS,
        )

    # What the rebalance listener notes

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        for tp in revoked:
            self._halted.pop(tp.partition, None)
            self._positions.pop(tp.partition, None)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._unchecked = {tp.partition for tp in assigned}

    # What the handler tells

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """A batch is in hand: the positions are the handler's."""
        async with self._lock:
            self._busy_since = self._process.clock.monotonic()
            try:
                yield
            finally:
                self._busy_since = None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Knowingly waiting for the world: alive, though nothing moves."""
        self._busy_since = None
        try:
            yield
        finally:
            self._busy_since = self._process.clock.monotonic()

    def moved(self, positions: Mapping[int, int]) -> None:
        self._busy_since = self._process.clock.monotonic()
        self._positions.update(positions)

    def give_back(self, parts: Sequence[Sequence[Record]]) -> None:
        """Let Kafka hand these out again: the handler has used up its time."""
        first: dict[int, int] = {}
        for one in (one for part in parts for one in part):
            first[one.partition] = min(one.offset, first.get(one.partition, one.offset))
        for partition, offset in first.items():
            self._seek(partition, offset)

    async def settle_odd(self, result: Offered) -> list[Record]:
        """Settle what the transaction left; return the records to offer again."""
        again: list[Record] = []
        for partition in sorted(result.stale):
            await self._settle(partition)
        for partition, records in sorted(result.odd.items()):
            settled = await self._settle(partition, in_hand=records[0].offset)
            if settled.seek is None and settled.halt is None:
                again += records
        return again

    async def commit(self) -> None:
        """Commit what the ledger reached, for the partitions that are still ours."""
        consumer = self._consumer
        ours = consumer.assignment() if consumer else ()
        offsets = {tp: self._positions[tp.partition] for tp in ours if tp.partition in self._positions}
        if offsets:
            await consumer.commit(offsets)

    # Its own round, every few seconds

    async def _look_around(self) -> bool:
        consumer = self._consumer
        if consumer is None or self._lock.locked():
            return False
        async with self._lock:
            ours = sorted(tp.partition for tp in consumer.assignment())
            for partition in await self._restless(consumer, ours):
                await self._settle(partition)
        return False

    async def _restless(self, consumer: Any, ours: Sequence[int]) -> list[int]:
        """Partitions new to us, halted, or not agreeing with the ledger. Measures lag on the way."""
        tps = [TopicPartition(self._topic, partition) for partition in ours]
        async with asyncio.timeout(_ANSWER_SECONDS):
            begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
            async with self._process.pool().acquire(timeout=_ANSWER_SECONDS) as conn:
                places = await ledger.look(conn, self._group, self._topic, ours)
            found = []
            for tp in tps:
                place = places.get(tp.partition)
                begin, end = begins[tp], ends[tp]
                agrees = (
                    place and await position(consumer, tp) == place.next_offset and begin <= place.next_offset <= end
                )
                if not agrees or tp.partition in self._unchecked or tp.partition in self._halted:
                    found.append(tp.partition)
                lag = end - (place.next_offset if place else begin)
                self._process.metrics.lag_records.labels(self._group, self._topic, tp.partition).set(max(lag, 0))
        return found

    async def _settle(self, partition: int, *, in_hand: int | None = None) -> Settled:
        settled = await self._probe.settle(self._consumer, partition, in_hand=in_hand)
        self._unchecked.discard(partition)
        if settled.how:
            self._process.metrics.mended.labels(self._group, settled.how).inc()
            log.info("position_settled", group=self._group, topic=self._topic, partition=partition, how=settled.how)
        if settled.seek is not None:
            self._seek(partition, settled.seek)
        self._halt_or_resume(partition, settled.halt)
        return settled

    def _halt_or_resume(self, partition: int, reason: str | None) -> None:
        tp = TopicPartition(self._topic, partition)
        if reason and self._halted.get(partition) != reason:
            self._halted[partition] = reason
            log.error("partition_halted", group=self._group, topic=self._topic, partition=partition, reason=reason)
        elif not reason and partition in self._halted:
            del self._halted[partition]
            log.info("partition_resumed", group=self._group, topic=self._topic, partition=partition)
            self._resume(tp)
        if reason:
            self._pause(tp)
        self._process.metrics.halted.labels(self._group, self._topic).set(len(self._halted))

    @property
    def _consumer(self) -> Any:
        return self._subscriber.consumer if self._subscriber else None

    def _seek(self, partition: int, offset: int) -> None:
        self._if_ours(partition, lambda consumer, tp: consumer.seek(tp, offset))

    def _pause(self, tp: TopicPartition) -> None:
        self._if_ours(tp.partition, lambda consumer, tp: consumer.pause(tp))

    def _resume(self, tp: TopicPartition) -> None:
        self._if_ours(tp.partition, lambda consumer, tp: consumer.resume(tp))

    def _if_ours(self, partition: int, act: Any) -> None:
        tp = TopicPartition(self._topic, partition)
        try:
            act(self._consumer, tp)
        except IllegalStateError:
            log.debug("partition_went_away", group=self._group, topic=self._topic, partition=partition)

    def _stuck(self) -> str | None:
        since = self._busy_since
        if since is not None and self._process.clock.monotonic() - since > _STUCK_SECONDS:
            return f"{self._group} has not finished a transaction on {self._topic} for {_STUCK_SECONDS:.0f} s"
        return None
