"""consume: topic + group + read + apply → each record has its effect once, whatever dies when.

FastStream fetches; offsets live in PostgreSQL beside the effect, and Kafka's commit is only for lag tools. No exception
escapes into FastStream, for it would go on with the next batch.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from typing import Any, Generic

import structlog
from aiokafka.errors import IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka.message import KafkaMessage

from db.pool import Connection
from schemas.topics import MAX_MESSAGE_BYTES, Topic
from services.kernel.bisect import E
from services.kernel.errors import Verdict, describe, verdict
from services.kernel.lookout import Lookout
from services.kernel.offer import Offered, Work, offer
from services.kernel.process import Process
from services.kernel.record import Record

MAX_POLL_SECONDS = 300
_HANDLER_SECONDS = MAX_POLL_SECONDS / 3
_PAUSES_SECONDS = (0.05, 0.2, 0.5, 1.0, 2.0)  # the last one repeats
_COMMIT_SECONDS = 5.0
_HEARTBEATS_A_SESSION = 10  # the others learn of a death, a leaving or a joining with their next heartbeat
log = structlog.get_logger()


def consume(
    process: Process,
    topic: Topic,
    *,
    group: str,
    read: Callable[[Record], E | None],
    apply: Callable[[Connection, Sequence[E]], Awaitable[Collection[Record]]],
) -> None:
    """Read a topic as `group`: `read` makes events, `apply` keeps a batch and says which were news."""
    consumption = Consumption(process, Work(group, topic.name, read, apply))
    settings = process.settings
    subscriber = process.broker.subscriber(
        topic.name,
        group_id=group,
        group_instance_id=f"{settings.group_instance}-{group}" if settings.group_instance else None,
        batch=True,
        max_records=settings.batch_records,
        batch_timeout_ms=100,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL,
        max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
        max_poll_interval_ms=MAX_POLL_SECONDS * 1000,
        session_timeout_ms=int(settings.session_timeout_seconds * 1000),
        heartbeat_interval_ms=int(settings.session_timeout_seconds * 1000 / _HEARTBEATS_A_SESSION),
        listener=consumption.lookout,
        parser=_untouched,
        decoder=_raw,
    )
    subscriber(consumption.handle)
    process.topics.append(topic)
    consumption.lookout.watch(subscriber)


async def _untouched(records: Any) -> KafkaMessage:
    """No header is decoded here: FastStream 0.7.8 drops a whole batch when one is not UTF-8."""
    return KafkaMessage(body=b"", headers={}, raw_message=records, consumer=None)  # type: ignore[arg-type]


async def _raw(message: Any) -> Any:
    return message.raw_message


class Consumption(Generic[E]):
    """One group on one topic: returns when the batch in hand is settled or given back."""

    def __init__(self, process: Process, work: Work[E]) -> None:
        self._process = process
        self._work = work
        self._committed_at = 0.0
        self.lookout = Lookout(process, work.group, work.topic)

    async def handle(self, raw: Any) -> None:
        """Settle one fetched batch. A failure ends the process; FastStream never sees it."""
        if self._process.failure is not None:
            return
        try:
            async with self.lookout.working():
                await self._settle_all([Record.consumed(one) for one in raw])
        except Exception as error:
            self._process.fail(error)

    async def _settle_all(self, records: Sequence[Record]) -> None:
        give_up_at = self._process.clock.monotonic() + _HANDLER_SECONDS
        waiting = list(_by_bytes(records, self._process.settings.batch_bytes))
        while waiting:
            part = waiting.pop(0)
            result = await self._offer(part, give_up_at)
            if result is None:
                self.lookout.give_back([part, *waiting])
                return
            odd = await self.lookout.settle_odd(result)
            if rest := [*result.rest, *odd]:
                waiting.insert(0, rest)
        await self._commit()

    async def _offer(self, records: Sequence[Record], give_up_at: float) -> Offered | None:
        """Offer until the world is ready; None when it was not for so long that Kafka would take us for dead."""
        careful, attempt, clock = False, 0, self._process.clock
        while True:
            started = clock.monotonic()
            try:
                result = await offer(self._process.pool(), self._work, records, careful=careful)
                self._count(result, len(records), clock.monotonic() - started)
                return result
            except Exception as error:
                wanted = verdict(error)
                if wanted is Verdict.STOP or (wanted is Verdict.GUILTY and careful):
                    raise
                careful = careful or wanted is Verdict.GUILTY
                if wanted is Verdict.AGAIN:
                    pause = _PAUSES_SECONDS[min(attempt, len(_PAUSES_SECONDS) - 1)]
                    attempt += 1
                    if clock.monotonic() + pause > give_up_at:
                        return None
                    await self._wait(error, attempt, pause)

    async def _wait(self, error: Exception, attempt: int, pause: float) -> None:
        self._process.metrics.retries.labels(self._work.group, type(error).__name__).inc()
        log.warning("batch_waits", group=self._work.group, error=describe(error), attempt=attempt)
        with self.lookout.waiting():
            await self._process.clock.sleep(pause)

    def _count(self, result: Offered, size: int, seconds: float) -> None:
        metrics, group = self._process.metrics, self._work.group
        metrics.batch_records.labels(group).observe(size)
        metrics.batch_seconds.labels(group).observe(seconds)
        for (store, outcome), count in result.outcomes.items():
            metrics.records.labels(group, store, outcome).inc(count)
        for kind, count in result.dead.items():
            metrics.dead.labels(group, kind).inc(count)
        self.lookout.moved(result.positions)

    async def _commit(self) -> None:
        """Tell Kafka too, every few seconds, for lag tools. What fails here costs nothing."""
        now = self._process.clock.monotonic()
        if now - self._committed_at < _COMMIT_SECONDS:
            return
        self._committed_at = now
        try:
            async with asyncio.timeout(_COMMIT_SECONDS):
                await self.lookout.commit()
        except (KafkaError, IllegalStateError, TimeoutError) as error:
            log.debug("commit_skipped", group=self._work.group, error=type(error).__name__)


def _by_bytes(records: Sequence[Record], limit: int) -> Iterator[list[Record]]:
    """Slices in order, each at most `limit` bytes of values or a single record."""
    part: list[Record] = []
    size = 0
    for one in records:
        if part and size + len(one.value) > limit:
            yield part
            part, size = [], 0
        part.append(one)
        size += len(one.value)
    if part:
        yield part
