"""The four consumers of the kernel benchmark, on one topic full of recorded webhooks."""

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from db.migrate import migrate
from db.pool import Connection
from db.records.ledger import Move
from schemas.topics import MAX_MESSAGE_BYTES, Topic
from services.kernel import Clock, Process, Publisher, Record, Retryable, Settings, consume
from services.kernel.consuming.consume import subscriber_of
from services.kernel.kafka.client import client_options
from services.kernel.kafka.topics import ensure_topics
from tests.recordings.recorded import RUNS, account_webhooks

_PATIENCE_SECONDS = 300
_TRIES = 20
_AT_ONCE = 100
_TABLE = """
drop table if exists wootstream.bench;
create table wootstream.bench (organization_id uuid not null, number bigint not null, event text not null);
grant insert on wootstream.bench to wootstream_service;
"""
_LOOK = ("group", "topic", "partitions")  # what a look at the ledger gives
_INSERT = "insert into wootstream.bench select * from unnest($1::uuid[], $2::bigint[], $3::text[])"


class BenchEvent(NamedTuple):
    """The least that an event can be: the decoded body with its record."""

    record: Record
    body: dict[str, Any]


def read(record: Record) -> BenchEvent:
    return BenchEvent(record, orjson.loads(record.value))


async def keep(conn: Connection, events: Sequence[BenchEvent]) -> Collection[Record]:
    """One unnest insert a batch."""
    stores = [event.record.store for event in events]
    rows = stores, [event.body.get("id", 0) for event in events], [event.body["event"] for event in events]
    await conn.execute(_INSERT, *rows)
    return [event.record for event in events]


class Stretch:
    """A stretch of work by a clock: from the first batch to the last, in µs a record."""

    def __init__(self, records: int, clock: Callable[[], float]) -> None:
        self._records = records
        self._clock = clock
        self._seen = self._first = 0
        self.over = asyncio.Event()

    def passed(self, count: int) -> None:
        if not self._seen:
            self._first, self._began = count, self._clock()
        self._seen += count
        if self._seen >= self._records:
            self._ended = self._clock()
            self.over.set()

    @property
    def microseconds(self) -> float:
        return (self._ended - self._began) / (self._records - self._first) * 1e6


class Remembering:
    """A connection and its pool, with the ledger in memory: what the kernel costs without PostgreSQL."""

    def __init__(self, partitions: int) -> None:
        self._next = dict.fromkeys(range(partitions), 0)

    def acquire(self, *, timeout: float | None = None) -> AbstractAsyncContextManager["Remembering"]:
        return nullcontext(self)

    def transaction(self) -> AbstractAsyncContextManager[object]:
        return nullcontext()

    async def execute(self, _query: str, *_args: Any) -> str:
        return ""

    async def fetch(self, _query: str, *args: Any) -> Sequence[dict[str, Any]]:
        """Where these partitions stood; a batch that enters names its moves, and those that fit are made."""
        place: dict[str, Any] = {
            "anchor_offset": None,
            "anchor_id": None,
            "cluster_id": "",
            "first_offset": 0,
            "era": 1,
            "gone": [],
            "whole": [],
            "erased": None,
            "latest": None,
        }
        rows = []
        moves = map(Move, *args[2:-1]) if len(args) > len(_LOOK) else [Move(one, 0) for one in args[2]]
        for move in moves:
            stood = self._next[move.partition]
            if moved := move.from_offset == stood:
                self._next[move.partition] = move.next_offset
            rows.append(place | {"partition": move.partition, "next_offset": stood, "is_moved": moved})
        return rows


class WithoutSql(Process):
    """A process whose database only remembers."""

    def __init__(self, settings: Settings, memory: Remembering) -> None:
        super().__init__(settings)
        self._memory = memory

    def pool(self, role: str = "") -> Any:
        return self._memory


@dataclass
class KernelBench:
    """A topic full of records, and the ways to consume it; each answers in µs a record."""

    settings: Settings
    topic: Topic
    stores: Sequence[uuid.UUID]
    records: int

    async def bare(self, batch: int) -> float:
        """getmany and the decode, by the same reader of header keys."""
        stretch = Stretch(self.records, time.process_time)
        async with AIOKafkaConsumer(
            **client_options(self.settings), auto_offset_reset="earliest", max_partition_fetch_bytes=MAX_MESSAGE_BYTES
        ) as consumer:
            consumer.assign([TopicPartition(self.topic.name, one) for one in range(self.topic.partitions)])
            while not stretch.over.is_set():
                fetched = await consumer.getmany(timeout_ms=100, max_records=batch)
                if events := [orjson.loads(one.value) for part in fetched.values() for one in part]:
                    stretch.passed(len(events))
        return stretch.microseconds

    async def kernel_without_sql(self, batch: int) -> float:
        stretch = Stretch(self.records, time.process_time)

        async def apply(_conn: Connection, events: Sequence[BenchEvent]) -> Collection[Record]:
            stretch.passed(len(events))
            return [event.record for event in events]

        process = WithoutSql(self._of(batch), Remembering(self.topic.partitions))
        consume(process, self.topic, group=_new_group(), read=read, apply=apply)
        return await self._until_over(process, stretch)

    async def with_ledger(self, batch: int) -> float:
        stretch = Stretch(self.records, time.perf_counter)

        async def apply(conn: Connection, events: Sequence[BenchEvent]) -> Collection[Record]:
            news = await keep(conn, events)
            stretch.passed(len(events))
            return news

        process = Process(self._of(batch))
        consume(process, self.topic, group=_new_group(), read=read, apply=apply)
        return await self.served(process, stretch)

    async def without_ledger(self, batch: int) -> float:
        """The same loop and the same insert in a transaction, and no promise."""
        stretch, process = Stretch(self.records, time.perf_counter), Process(self._of(batch))

        async def handle(raw: Any) -> None:
            events = [read(Record.consumed(one)) for one in raw]
            async with process.pool().acquire(timeout=10) as conn, conn.transaction():
                await keep(conn, events)
            stretch.passed(len(events))

        subscriber_of(process, self.topic, _new_group())(handle)
        return await self.served(process, stretch)

    def _of(self, batch: int) -> Settings:
        return self.settings.model_copy(update={"batch_records": batch})

    async def served(self, process: Process, stretch: Stretch) -> float:
        """As `wootstream run` does, with all that goes on beside the handler."""
        serving = asyncio.create_task(process.serve())
        await process.clock.wait(_PATIENCE_SECONDS, stretch.over, process.stopping)
        process.stopping.set()
        await serving
        if not stretch.over.is_set():
            raise process.failure or TimeoutError
        return stretch.microseconds

    async def _until_over(self, process: Process, stretch: Stretch) -> float:
        await process.consumers.broker.start()
        await process.clock.wait(_PATIENCE_SECONDS, stretch.over, process.stopping)
        await process.consumers.broker.stop()
        await process.close()
        if not stretch.over.is_set():
            raise process.failure or TimeoutError
        return stretch.microseconds


def _new_group() -> str:
    return f"bench-{uuid.uuid4().hex[:10]}"


@asynccontextmanager
async def open_bench(
    kafka: str, database_url: str, folder: Path, records: int, *, stores: int = 1, partitions: int = 12
) -> AsyncIterator[KernelBench]:
    """A topic full of recorded webhooks; of several stores each has its turn with all of them, one after the other."""
    settings = Settings.model_validate(
        {"kafka_bootstrap_servers": kafka, "database_url": database_url, "http_port": 0, "data_directory": folder}
    )
    of = [uuid.uuid4() for _ in range(stores)]
    topic = Topic(f"bench.{uuid.uuid4().hex[:8]}", kept_days=1, partitions=partitions)
    bench = KernelBench(settings, topic, of, records)
    await migrate(database_url)
    admin = await asyncpg.connect(database_url)
    await admin.execute(_TABLE)
    for store in bench.stores:
        await _add_store(admin, store)
    await ensure_topics(settings, [bench.topic])
    await _fill(bench)
    try:
        yield bench
    finally:
        await admin.execute("drop table wootstream.bench")
        await admin.close()


async def _add_store(admin: Any, store: uuid.UUID) -> None:
    await admin.execute("insert into public.organizations (id, name) values ($1, 'bench')", store)
    await admin.execute(
        "insert into public.chatwoot_accounts"
        " (organization_id, slug, chatwoot_base_url, chatwoot_account_id, account_name, website_token)"
        " values ($1, $2, 'http://' || $2, 1, $2, $2)", store, f"bench-{store}",
    )  # fmt: skip


async def _fill(bench: KernelBench) -> None:
    bodies = [one for run in RUNS for one in account_webhooks(run)]
    turns = ((store, body) for store in itertools.cycle(bench.stores) for body in bodies)
    publisher = Publisher(bench.settings, Clock())
    await publisher.connect()
    for _ in range(0, bench.records, _AT_ONCE):
        records = [webhook_record(bench.topic.name, *one) for one in itertools.islice(turns, _AT_ONCE)]
        await asyncio.gather(*(_sent(publisher, record) for record in records))
    await publisher.stop()


async def _sent(publisher: Publisher, record: Record) -> None:
    """On a busy machine not at once; one that comes twice is read twice by all who are compared."""
    for tries_left in reversed(range(_TRIES)):
        try:
            await publisher.publish(record)
        except Retryable:
            if not tries_left:
                raise
        else:
            return


def webhook_record(topic: str, store: uuid.UUID, webhook: Any) -> Record:
    """As the door makes it of a recorded webhook."""
    return Record.accepted(
        topic,
        key=uuid.uuid4().bytes,
        value=webhook.body,
        store=store,
        event=webhook.event,
        origin="webhook",
        received_at=datetime.now(UTC),
    )
