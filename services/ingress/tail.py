"""What arrived, by the headers of the topics' records, and what was refused, by the doors' counts. No personal data."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from aiokafka import TopicPartition

from db.pool import Pool, scoped
from db.records import refusals as table
from schemas.topics import SHOP_EVENTS, WEBHOOKS, WIDGET_EVENTS
from services.ingress.doors.webhooks import LONGEST_EVENT
from services.ingress.refusal_counts import WRITE_SECONDS
from services.kernel import Clock, Invalid, Record, Settings, Stop
from services.kernel.kafka import client
from services.kernel.kafka.topics import Admin, partitions_of

_DOORS = {WEBHOOKS.name: "webhooks", WIDGET_EVENTS.name: "beacons", SHOP_EVENTS.name: "events"}
_QUIET_MS = 500


@dataclass(frozen=True, slots=True)
class Arrival:
    """One accepted record, or a number of refusals for one reason."""

    at: datetime | None
    store: UUID | None
    door: str
    what: str  # the event's name, or the reason of a refusal
    count: int = 1
    size: int | None = None
    position: str = ""


async def accepted(settings: Settings, only: UUID | None, *, last: int, follow: bool) -> AsyncIterator[Arrival]:
    """The last so many in the order of arrival, looked for among as many of each partition, then what comes."""
    consumer = client.consumer(settings, enable_auto_commit=False)
    await client.started(consumer, settings)
    try:
        parts = await _parts(settings)
        consumer.assign(parts)
        ends, begins = await consumer.end_offsets(parts), await consumer.beginning_offsets(parts)
        for part in parts:
            consumer.seek(part, max(begins[part], ends[part] - last))
        earlier: list[Arrival] = []
        while any([await consumer.position(part) < ends[part] for part in parts]):
            earlier += await _fetched(consumer, only)
        for one in sorted(earlier, key=_when)[-last:]:
            yield one
        while follow:
            for one in await _fetched(consumer, only):
                yield one
    finally:
        await consumer.stop()


async def refused(
    pool: Pool, stores: Collection[UUID], only: UUID | None, *, last: int, follow: bool, clock: Clock
) -> AsyncIterator[Arrival]:
    """The last so many, then what comes; of one store or of all, also of requests that name no store."""
    seen, most = 0, last
    while True:
        async with scoped(pool, stores) as conn:
            rows = await table.since(conn, seen, only, most)
        for row in rows:
            seen = row["id"]
            yield Arrival(row["last_at"], row["organization_id"], row["door"], row["reason"], row["count"])
        if not follow:
            return
        most = table.KEPT_ROWS
        await clock.sleep(WRITE_SECONDS)


async def _parts(settings: Settings) -> list[TopicPartition]:
    async with Admin(settings) as admin:
        there = await partitions_of(admin, _DOORS)
    if absent := sorted(_DOORS.keys() - there.keys()):
        raise Stop(f"Kafka has no topic {', '.join(absent)}: run `wootstream topics`")
    return [TopicPartition(topic, partition) for topic, partitions in there.items() for partition in partitions]


async def _fetched(consumer: Any, only: UUID | None) -> list[Arrival]:
    fetched = await consumer.getmany(timeout_ms=_QUIET_MS)
    found = [_arrival(Record.consumed(one)) for records in fetched.values() for one in records]
    return [one for one in found if only in (None, one.store)]


def _when(arrival: Arrival) -> float:
    return arrival.at.timestamp() if arrival.at else 0.0


def _arrival(record: Record) -> Arrival:
    try:
        at, store = record.received_at, record.store
    except Invalid:  # written by somebody else, without our headers: the reader will set it aside
        at, store = None, None
    position = f"{record.partition}:{record.offset}"
    return Arrival(at, store, _DOORS[record.topic], _name(record.event or "?"), 1, len(record.value), position)


def _name(event: str) -> str:
    """Who writes the topic himself can call an event anything, at any length."""
    return event if len(event) <= LONGEST_EVENT else f"{event[:LONGEST_EVENT]}…"
