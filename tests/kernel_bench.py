"""A bench for the kernel: a topic, a store and a sink table of one test, on the real Kafka and PostgreSQL.

The sink has no unique key, so a record applied twice is a row twice.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from pydantic import BaseModel

from db.pool import Connection, use_json
from schemas.topics import Topic
from services.kernel import Clock, Process, Publisher, Record, Settings, consume
from services.kernel.forgetting.sieve import nobody
from services.kernel.kafka.topics import ensure_topics
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.publishing import publish_all
from tests.topics import delete_topics, make_again

_SINK = """
create table wootstream.{sink} (organization_id uuid not null, n integer not null check (n >= 0));
grant select, insert on wootstream.{sink} to wootstream_service;
"""


class _Body(BaseModel):
    n: int


@dataclass(frozen=True, slots=True)
class Number:
    """The event of the bench."""

    record: Record
    n: int


class Ahead(Clock):
    """The machine's clock, put forward by hand."""

    seconds = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.seconds


def read(record: Record) -> Number | None:
    """As the services read: what does not fit the schema raises ValueError."""
    return Number(record, _Body.model_validate_json(record.value).n) if record.event == "number" else None


@dataclass
class Bench:
    """One test's topic, store and sink."""

    settings: Settings
    admin: Any
    topic: Topic
    store: uuid.UUID
    group: str
    sink: str
    publisher: Publisher

    async def connect(self) -> None:
        """A producer that knows the topic as it is now."""
        await self.publisher.stop()
        self.publisher = Publisher(self.settings, Clock())
        await self.publisher.connect()

    async def apply(self, conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        await conn.execute(
            f"insert into wootstream.{self.sink} (organization_id, n) select $1, unnest($2::int[])",
            self.store,
            [event.n for event in events],
        )
        return {event.record for event in events}

    async def another_store(self) -> uuid.UUID:
        return await _attach(self.admin, uuid.uuid4().hex[:10])

    def record(
        self,
        n: int | None,
        *,
        value: bytes | None = None,
        event: str = "number",
        key: bytes = b"k",
        store: uuid.UUID | None = None,
    ) -> Record:
        body = value if value is not None else orjson.dumps({"n": n})
        return Record.accepted(
            self.topic.name,
            key=key,
            value=body,
            store=store or self.store,
            event=event,
            origin="shop",
            received_at=datetime.now(UTC),
        )

    async def send(self, numbers: Iterable[int]) -> None:
        await self.send_records([self.record(n, key=b"%d" % (n % 64)) for n in numbers])

    async def send_records(self, records: Sequence[Record]) -> list[tuple[int, int]]:
        """Partition and offset of each."""
        return await publish_all(self.publisher, records)

    @asynccontextmanager
    async def consuming(
        self, *, read: Any = read, apply: Any = None, subjects: Any = nobody, clock: Clock | None = None
    ) -> AsyncIterator[Process]:
        """A process of its own that consumes the topic; stopped as by SIGTERM at the end."""
        process = Process(self.settings, clock)
        consume(process, self.topic, group=self.group, read=read, apply=apply or self.apply, subjects=subjects)
        serving = asyncio.create_task(process.serve())
        try:
            yield process
        except AssertionError as missing:
            missing.add_note(f"what ended the process: {process.failure!r}")
            raise
        finally:
            process.stopping.set()
            await asyncio.wait_for(serving, PATIENCE_SECONDS)

    async def stored(self) -> list[int]:
        rows = await self.admin.fetch(f"select n from wootstream.{self.sink} order by n")  # noqa: S608
        return [row["n"] for row in rows]

    async def ledger(self) -> dict[int, dict[str, Any]]:
        rows = await self.admin.fetch("select * from wootstream.ledger where consumer_group = $1", self.group)
        return {row["partition"]: dict(row) for row in rows}

    async def total(self, *columns: str) -> int:
        return sum(row[column] for row in (await self.ledger()).values() for column in columns)

    async def until(self, columns: str, count: int) -> None:
        """Wait until the ledger's columns add up to `count`."""

        async def reached() -> bool:
            return await self.total(*columns.split()) >= count

        await eventually(reached)

    async def dead(self) -> list[dict[str, Any]]:
        rows = await self.admin.fetch(
            "select * from wootstream.dead_letters where consumer_group = $1 order by record_offset", self.group
        )
        return [dict(row) for row in rows]

    async def make_topic_again(self) -> None:
        await make_again(self.settings, self.topic)
        await self.connect()

    async def delete_topic(self) -> None:
        await delete_topics(self.settings, [self.topic])


@asynccontextmanager
async def open_bench(
    kafka: str, database_url: str, directory: Path, *, partitions: int = 4, more: Mapping[str, object] | None = None
) -> AsyncIterator[Bench]:
    """`more` are further settings."""
    mark = uuid.uuid4().hex[:10]
    given = {
        "database_url": database_url,
        "kafka_bootstrap_servers": kafka,
        "http_port": 0,
        "data_directory": directory,
    }
    settings = Settings.model_validate(given | {"log_format": "console"} | dict(more or {}))
    admin = await asyncpg.connect(database_url)
    await use_json(admin)
    bench = Bench(
        settings,
        admin,
        Topic(f"bench.{mark}", 1, partitions),
        await _attach(admin, mark),
        f"bench-{mark}",
        f"sink_{mark}",
        Publisher(settings, Clock()),
    )
    await admin.execute(_SINK.format(sink=bench.sink))
    await ensure_topics(settings, [bench.topic])
    await bench.connect()
    try:
        yield bench
    finally:
        await bench.publisher.stop()
        await bench.delete_topic()
        await admin.close()


async def _attach(admin: Any, mark: str) -> uuid.UUID:
    store = uuid.uuid4()
    await admin.execute("insert into public.organizations (id, name) values ($1, $2)", store, mark)
    await admin.execute(
        "insert into public.chatwoot_accounts"
        " (organization_id, slug, chatwoot_base_url, chatwoot_account_id, account_name, website_token) "
        "values ($1, $2, $3, 1, $2, $2)", store, f"bench-{mark}", f"http://{mark}",
    )  # fmt: skip
    return store
