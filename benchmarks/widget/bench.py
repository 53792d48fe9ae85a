"""The consumers of the widget benchmark, on one topic full of posts of 50 stores, and on its rows."""

import asyncio
import dataclasses
import ipaddress
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from db.migrate import migrate
from db.pool import SERVICE, Connection, open_pool, scoped
from db.stores import add_organization
from db.widget import event_rows
from db.widget.binary_rows import WidgetEventRow
from schemas.topics import Topic
from services.kernel import Clock, Process, Publisher, Record, Settings, consume
from services.kernel.kafka.topics import ensure_topics
from services.widget import events
from services.widget.keeping import Keeping
from services.widget.metrics import WidgetMetrics
from tests.publishing import publish_all
from tests.widget_posts import Posts

STORES, RECORDS_AT_ONCE = 50, 500
_PATIENCE_SECONDS, _TICK_SECONDS = 600, 0.01
_EMPTY = "truncate public.chatwoot_widget_events, public.chatwoot_widget_daily"
Storing = Callable[[Connection, Sequence[WidgetEventRow]], Awaitable[object]]


@dataclass
class WidgetBench:
    """A topic full of posts, their rows by batches of records, and the ways to store them; each in events a second."""

    settings: Settings
    topic: Topic
    admin: Any
    events: int
    batches: list[list[WidgetEventRow]] = field(default_factory=list)
    for_copy: list[list[Any]] = field(default_factory=list)  # the same with addresses as COPY takes them
    processor_seconds_an_event: float = 0.0

    @property
    def database(self) -> dict[str, Any]:
        """As other drivers are told."""
        parts = urlsplit(self.settings.database_url.get_secret_value())  # type: ignore[union-attr]
        names = {"host": parts.hostname, "port": parts.port or 5432, "dbname": parts.path[1:]}
        return names | {"user": parts.username, "password": parts.password or ""}

    async def ours(self) -> float:
        """The service as it is: topic, ledger, rows and daily counts."""
        await self.emptied()
        stretch = _Stretch(self.events)
        async with self._consuming(stretch.passed):
            await stretch.over.wait()
        self.processor_seconds_an_event = stretch.processor_seconds_an_event
        return stretch.events_a_second

    async def from_memory(self) -> float:
        """The same SQL, fed with rows that lie ready."""
        return await self._stored(partial(event_rows.add, all_new=True))

    async def by_copy(self) -> float:
        """Plain COPY into the same table with the same indexes, without its row security, counts and repeats."""
        await self.emptied()
        began, columns = time.perf_counter(), WidgetEventRow._fields
        for rows in self.for_copy:
            await self.admin.copy_records_to_table(
                "chatwoot_widget_events", schema_name="public", records=rows, columns=columns
            )
        return self.events / (time.perf_counter() - began)

    async def by_arrays(self) -> float:
        """The same SQL, fed with arrays, as few rows are."""
        return await self._stored(_as_arrays)

    async def _stored(self, apply: Storing) -> float:
        await self.emptied()
        pool = open_pool(self.settings.database_url.get_secret_value(), SERVICE)  # type: ignore[union-attr]
        began = time.perf_counter()
        for rows in self.batches:
            async with scoped(pool, {one.organization_id for one in rows}) as conn:
                await apply(conn, rows)
        seconds = time.perf_counter() - began
        await pool.close()
        return self.events / seconds

    async def lags(self, per_second: float, seconds: float) -> list[float]:
        """Seconds from a post's acceptance to its rows, at a steady rate of events."""
        await self.emptied()
        topic = dataclasses.replace(self.topic, name=f"{self.topic.name}.lag")
        await ensure_topics(self.settings, [topic])
        lags: list[float] = []
        publisher = Publisher(self.settings, Clock())
        await publisher.connect()

        def passed(records: Collection[Record]) -> None:
            now = datetime.now(UTC)
            lags.extend((now - one.received_at).total_seconds() for one in records)

        stores = sorted({one.organization_id for rows in self.batches for one in rows})
        async with self._consuming(lambda posts: passed([one.record for one in posts]), topic=topic):
            sent = expected = 0
            async with asyncio.timeout(_PATIENCE_SECONDS):
                began = time.perf_counter()
                while (so_far := time.perf_counter() - began) < seconds:
                    posts = Posts(expected, stores, datetime.now(UTC), topic.name)
                    batch = [*posts.records(int(so_far * per_second) - sent)]
                    await publish_all(publisher, [record for record, _ in batch])
                    sent, expected = sent + sum(size for _, size in batch), expected + len(batch)
                    await asyncio.sleep(_TICK_SECONDS)
                while len(lags) < expected:
                    await asyncio.sleep(_TICK_SECONDS)
        await publisher.stop()
        return sorted(lags)

    @asynccontextmanager
    async def _consuming(self, passed: Callable[[Any], None], topic: Topic | None = None) -> AsyncIterator[None]:
        process = Process(self.settings)
        keeping = Keeping(process, WidgetMetrics(process.registry))
        await keeping.refresh()

        async def apply(conn: Connection, posts: Any) -> Collection[Record]:
            news = await keeping.keep(conn, posts)
            passed(posts)
            return news

        group = f"bench-{uuid.uuid4().hex[:10]}"
        consume(process, topic or self.topic, group=group, read=keeping.read, apply=apply, subjects=events.subjects)
        serving = asyncio.create_task(process.serve())
        try:
            yield
        finally:
            process.stopping.set()
            await serving
            if process.failure:
                raise process.failure

    async def emptied(self) -> None:
        """No rows and no counts."""
        await self.admin.execute(_EMPTY)
        await self.admin.execute("vacuum")


class _Stretch:
    """From the first batch to the last: neither starting nor joining the group is in it."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._seen = self._first = 0
        self.over = asyncio.Event()

    def passed(self, posts: Iterable[events.WidgetPost]) -> None:
        count = sum(len(post.rows) for post in posts)
        if not self._seen:
            self._first, self._began, self._worked = count, time.perf_counter(), time.process_time()
        self._seen += count
        if self._seen >= self._events:
            self._ended, self._done = time.perf_counter(), time.process_time()
            self.over.set()

    @property
    def events_a_second(self) -> float:
        return (self._events - self._first) / (self._ended - self._began)

    @property
    def processor_seconds_an_event(self) -> float:
        """Of our own process, without PostgreSQL's."""
        return (self._done - self._worked) / (self._events - self._first)


async def _json_in_binary(connection: Any) -> None:
    """COPY takes nothing else."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=lambda one: b"\x01" + one.encode(), decoder=bytes
    )


async def _as_arrays(conn: Connection, rows: Sequence[WidgetEventRow]) -> None:
    await conn.execute(event_rows._PLAN)
    await conn.fetch(event_rows._ADD, *zip(*rows, strict=True))


@asynccontextmanager
async def open_bench(kafka: str, database_url: str, folder: Path, count: int) -> AsyncIterator[WidgetBench]:
    """A topic full of posts."""
    settings = Settings.model_validate(
        {"kafka_bootstrap_servers": kafka, "database_url": database_url, "http_port": 0, "data_directory": folder}
    )
    await migrate(database_url)
    admin = await asyncpg.connect(database_url)
    await _json_in_binary(admin)
    stores = [await attached(admin, number) for number in range(STORES)]
    bench = WidgetBench(settings, Topic(f"bench.{uuid.uuid4().hex[:8]}", 1, 4), admin, count)
    posts = Posts(1, stores, datetime.now(UTC), bench.topic.name)
    await ensure_topics(settings, [bench.topic])
    publisher = Publisher(settings, Clock())
    await publisher.connect()
    batch: list[Record] = []
    for record, _ in posts.records(count):
        batch.append(record)
        if len(batch) == RECORDS_AT_ONCE:
            await _fill(bench, publisher, batch)
            batch = []
    await _fill(bench, publisher, batch)
    await publisher.stop()
    try:
        yield bench
    finally:
        await admin.close()


async def _fill(bench: WidgetBench, publisher: Publisher, batch: Sequence[Record]) -> None:
    await publish_all(publisher, batch)
    posts = [post for one in batch if (post := events.read(one))]
    if posts:
        rows = [row for post in posts for row in post.rows]
        bench.batches.append(sorted(rows, key=attrgetter("organization_id")))  # as the service brings them
        bench.for_copy.append([one._replace(ip_address=_address(one.ip_address)) for one in rows])


def _address(text: str | None) -> Any:
    return text and ipaddress.ip_address(text)


async def attached(admin: Any, number: int) -> uuid.UUID:
    store = uuid.uuid4()
    await add_organization(admin, store, f"bench {number}")
    await admin.execute(
        "insert into public.chatwoot_accounts"
        " (organization_id, slug, chatwoot_base_url, chatwoot_account_id, account_name, website_token)"
        " values ($1, $2, 'http://' || $2, 1, $2, $2)", store, f"bench-{store}",
    )  # fmt: skip
    return store
