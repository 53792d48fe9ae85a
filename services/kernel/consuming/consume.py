"""consume: topic + group + read + apply → each record has its effect once, whatever dies when.

FastStream fetches; offsets live in PostgreSQL beside the effect, and Kafka's commit is only for lag tools. No exception
escapes into FastStream, for it would go on with the next batch.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from operator import attrgetter
from typing import Any, Generic, TypeVar

import structlog
from aiokafka.errors import ConsumerStoppedError, KafkaError

from db.pool import Connection, KeptConnection
from schemas.topics import MAX_MESSAGE_BYTES, Topic
from services.kernel.clock import Schedule
from services.kernel.consuming.bisect import E
from services.kernel.consuming.offer import Care, Offered, Subscription, offer
from services.kernel.consuming.positions import Positions
from services.kernel.consuming.prefetch import Prefetch
from services.kernel.consuming.probe import Here
from services.kernel.errors import Verdict, describe, kind, verdict
from services.kernel.forgetting.sieve import About, nobody
from services.kernel.forgetting.subjects import Pseudonyms, Subject
from services.kernel.process import Process
from services.kernel.record import Record, store_of

MAX_POLL_SECONDS = 300  # Kafka's own default
_HEARTBEATS_A_SESSION = 10  # the others learn of a death, a leaving or a joining with their next heartbeat
# aiokafka counts from the end of the last fetch, and leaves the group when the time is over. A third of it: a step that
# was begun just in time may be a long one.
_HANDLER_SECONDS = MAX_POLL_SECONDS / 3
_STOPPING_SECONDS = 0.2
_TRIES_UNTIL_DOUBT = 10  # some 15 s; an outage that only one record meets is none
# A deadlock is over after the first, a failover within some of the last; longer ones would only add to the lag.
_PAUSES = Schedule((0.05, 0.2, 0.5, 1.0, 2.0))
_MOST_COUNTERS = 10_000  # remembered
_PARTITION, _VALUE = attrgetter("partition"), attrgetter("value")
S = TypeVar("S")
T = TypeVar("T")
log = structlog.get_logger()


def consume(
    process: Process,
    topic: Topic,
    *,
    group: str,
    read: Callable[[Record], E | None],
    apply: Callable[[Connection, Sequence[E]], Awaitable[Collection[Record]]],
    subjects: Callable[[E], Iterable[Subject]] = nobody,
) -> None:
    """Read a topic as `group`: `read` makes events, `apply` keeps a batch and says which were news.

    `subjects` are the people an event is about: what was received before one of them was erased is not applied.
    """
    about = About(Pseudonyms(process.secrets), subjects)
    subscription = Subscription(group, topic.name, read, apply, about, process.opener, process.following)
    consumption = Consumption(process, subscription)
    consumption.read_from(subscriber_of(process, topic, group, listener=consumption.positions))


def subscriber_of(process: Process, topic: Topic, group: str, **more: Any) -> Any:
    """FastStream's: read `topic` as `group`, in batches of raw records; `more` are FastStream's own options."""
    from faststream import AckPolicy

    settings = process.settings
    return process.consumers.reading(topic).subscriber(
        topic.name,
        group_id=group,
        group_instance_id=f"{settings.group_instance}-{group}" if settings.group_instance else None,
        batch=True,
        max_records=settings.batch_records,
        batch_timeout_ms=100,  # FastStream sleeps as long again after an empty fetch: idle, a record waits twice this
        auto_offset_reset="earliest",  # until the ledger is asked, which happens before anything is applied
        ack_policy=AckPolicy.MANUAL,  # the others commit, or seek back at once and for ever
        max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
        max_poll_interval_ms=MAX_POLL_SECONDS * 1000,
        session_timeout_ms=int(settings.session_timeout_seconds * 1000),
        heartbeat_interval_ms=int(settings.session_timeout_seconds * 1000 / _HEARTBEATS_A_SESSION),
        parser=_untouched,
        decoder=_raw,
        **more,
    )


async def _untouched(records: Any) -> Any:
    """No header is decoded here: FastStream 0.7.8 drops a whole batch when one is not UTF-8."""
    from faststream.kafka.message import KafkaMessage

    return KafkaMessage(body=b"", headers={}, raw_message=records, consumer=None)  # type: ignore[arg-type]


async def _raw(message: Any) -> Any:
    return message.raw_message


class Consumption(Generic[E]):
    """One group on one topic: returns when the batch in hand is settled or given back."""

    def __init__(self, process: Process, subscription: Subscription[E]) -> None:
        self._process = process
        self.positions = Positions(process, subscription.group, subscription.topic)
        self._prefetch = Prefetch(subscription.read, subscription.apply, self._fetched, self.positions)
        self._subscription = replace(subscription, read=self._prefetch.read, apply=self._prefetch.apply)
        self._connection = KeptConnection(process.pool)  # from one batch to the one that follows
        self._tries = 0  # of the batch in hand, without success
        self._batch_records = process.metrics.batch_records.labels(subscription.group)
        self._batch_seconds = process.metrics.batch_seconds.labels(subscription.group)
        self._counter_of = lru_cache(maxsize=_MOST_COUNTERS)(self._counter)
        self._subscriber: Any = None

    def read_from(self, subscriber: Any) -> None:
        """Let FastStream's subscriber, which is not started yet, hand us what it fetches."""
        self._subscriber = subscriber
        subscriber(self.handle)
        self.positions.watch(subscriber)

    async def handle(self, raw: Any) -> None:
        """Settle a fetched batch, and those behind it. What fails stands still; FastStream never sees it.

        They are fetched here: FastStream's own way from a fetch to its handler is a tenth of what a small batch costs.
        """
        records: Sequence[Record] = [Record.consumed(one) for one in raw]
        stopping = self._process.stopping
        try:
            while records and not stopping.is_set():
                self._prefetch.in_hand(full=len(records) >= self._process.settings.batch_records)
                # Nobody looks at these partitions' positions meanwhile.
                async with self.positions.working(_partitions(records)):
                    await self._settle_all(records)
                records = () if stopping.is_set() else await self._prefetch.following()
        finally:
            try:
                await self._prefetch.end()
            finally:
                await self._connection.give_back()
        if self._process.stopping.is_set():  # the last HTTP requests are answered first; nothing is fetched in haste
            await self._process.clock.sleep(_STOPPING_SECONDS)

    async def _fetched(self) -> Sequence[Record]:
        """The next batch as FastStream fetches it; nothing where its own loop has something to see to."""
        subscriber = self._subscriber
        if self._process.stopping.is_set() or not subscriber.running or subscriber.consumer is None:
            return ()
        try:
            return [Record.consumed(one) for one in await subscriber.get_msg(subscriber.consumer)]
        except (KafkaError, ConsumerStoppedError) as error:  # what lasts, FastStream meets too: it logs it and waits
            log.warning("fetch_fails", group=self._subscription.group, error=describe(error))
            return ()

    async def _settle_all(self, records: Sequence[Record]) -> None:
        """Transaction by transaction; what is left when the time is over, or cannot go on, Kafka hands out again."""
        give_up_at = self._process.clock.monotonic() + _HANDLER_SECONDS
        waiting, part = list(records), records
        try:
            moved = await self._settled(self.positions.unchecked(records), give_up_at)
            waiting = [one for one in records if one.partition not in moved] if moved else waiting
            while waiting:
                part = _up_to(waiting, self._process.settings.batch_bytes)
                result = await self._patiently(self._offer, part, give_up_at)
                moved = await self._settled(result.unsettled, give_up_at)
                waiting = [one for one in (*result.rest, *waiting[len(part) :]) if one.partition not in moved]
        except _GivenUp:
            self.positions.give_back(_held(waiting))
        except Exception as error:  # a fault of the deployment or of our code: no record's, so none is set aside
            self.positions.give_back(_held(waiting))
            self.positions.stand_still(_partitions(part), error)

    async def _settled(self, records: Sequence[Record], give_up_at: float) -> set[int]:
        """Settle the positions of these records' partitions; return those of which nothing held may be applied."""
        if not records:
            return set()
        await self._connection.give_back()  # a look at positions takes one of its own
        return await self._patiently(self.positions.settle, _held(records), give_up_at)

    async def _offer(self, records: Sequence[Record]) -> Offered:
        """Whole first; by halves when something in it is refused."""
        started = self._process.clock.monotonic()
        self._tries += 1
        in_doubt = self._tries % _TRIES_UNTIL_DOUBT == 0
        try:
            result = await self._apply(records, Care.DOUBT if in_doubt else Care.WHOLE)
        except Exception as error:
            if verdict(error) is not Verdict.GUILTY:
                raise
            result = await self._apply(records, Care.HALVES)
        self._tries = 0
        self._count(result, len(records), self._process.clock.monotonic() - started)
        self.positions.went_on(_partitions(records) - _partitions(result.unsettled))
        return result

    async def _apply(self, records: Sequence[Record], care: Care) -> Offered:
        with self._subscription.following.batch(self._subscription.group, records):
            if care is not Care.DOUBT:  # each statement has a time-out of its own
                return await offer(self._connection, self._subscription, records, care)
            async with asyncio.timeout(_HANDLER_SECONDS):
                return await offer(self._connection, self._subscription, records, care)

    async def _patiently(self, step: Callable[[S], Awaitable[T]], subject: S, give_up_at: float) -> T:
        """Try until the world is ready. Raises _GivenUp before Kafka takes us for dead, or when we must stop."""
        clock, stopping = self._process.clock, self._process.stopping
        for attempt in itertools.count():
            if stopping.is_set() or clock.monotonic() > give_up_at:
                break
            try:
                return await step(subject)
            except Exception as error:
                if verdict(error) is not Verdict.AGAIN:
                    raise
                self._process.metrics.retries.labels(self._subscription.group, kind(error)).inc()
                log.warning("batch_waits", group=self._subscription.group, error=describe(error), attempt=attempt)
            with self.positions.liveness.waiting():
                await clock.wait(_PAUSES.after(attempt), stopping)
        raise _GivenUp

    def _count(self, result: Offered, size: int, seconds: float) -> None:
        metrics, group = self._process.metrics, self._subscription.group
        self._batch_records.observe(size)
        self._batch_seconds.observe(seconds)
        for (name, outcome), count in result.outcomes.items():
            self._counter_of(name, outcome).inc(count)
        for reason, count in result.dead.items():
            metrics.dead.labels(group, reason).inc(count)

    def _counter(self, store_name: str, outcome: str) -> Any:
        store = str(store_of(store_name) or "")  # a header may say anything; a label must not
        return self._process.metrics.records.labels(self._subscription.group, store, outcome)


class _GivenUp(Exception):
    """The time of this handler call is over."""


def _partitions(records: Iterable[Record]) -> set[int]:
    """Those that the records lie in."""
    return set(map(_PARTITION, records))


def _held(records: Sequence[Record]) -> dict[int, Here]:
    """Where we stand in each partition with these records in hand."""
    last = {one.partition: one.offset for one in records}
    first = {one.partition: one.offset for one in reversed(records)}
    return {partition: Here(last[partition] + 1, first[partition]) for partition in last}


def _up_to(records: Sequence[Record], limit: int) -> Sequence[Record]:
    """The first records, at most `limit` bytes of values or a single one."""
    size = 0
    if sum(map(len, map(_VALUE, records))) <= limit:  # nearly always
        return records
    for count, record in enumerate(records):
        size += len(record.value)
        if count and size > limit:
            return records[:count]
    return records
