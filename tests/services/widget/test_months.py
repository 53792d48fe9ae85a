"""The months of widget events: made ahead, and let go without stopping anybody."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson
import pytest
from pydantic import SecretStr

from db.pool import PRIVACY, Pool, open_pool, scoped
from db.widget import months as table
from services.kernel import Process, Record, Retryable, Settings
from services.widget import cli, events, handlers, months
from services.widget.events import KeptSpan
from services.widget.keeping import Keeping
from services.widget.metrics import WidgetMetrics
from services.widget.months import Month
from tests.databases import copied_database
from tests.services.attached import attach
from tests.services.conversations.reports.test_cli import call
from tests.services.widget.test_handlers import event, post

_THEN = datetime(2024, 3, 15, tzinfo=UTC)
_RETENTION = "insert into wootstream.retention values ($1, 'widget', 40, $2, now())"
_MOVE = "update wootstream.retention set since = $2 where organization_id = $1"


@pytest.fixture
async def alone(migrated: str) -> AsyncIterator[str]:
    """A database whose months no other test needs: the administrator's URL."""
    async with copied_database(migrated) as url:
        yield url


def test_days_ahead_end_at_the_first_gap() -> None:
    def month(number: int, *, attached: bool = True) -> Month:
        return Month(
            "", datetime(2026, number, 1, tzinfo=UTC), datetime(2026, number + 1, 1, tzinfo=UTC), attached, 0, 0
        )

    now = datetime(2026, 5, 11, tzinfo=UTC)
    assert months.days_ahead([month(6), month(5), month(8)], now) == 51
    assert months.days_ahead([month(5, attached=False)], now) == 0
    assert months.days_ahead([month(4)], now) == 0


async def test_months_that_exist_are_left_alone(pool: Pool) -> None:
    now = datetime.now(UTC)
    await months.ensure(pool, now)
    found = await months.ensure(pool, now)
    assert found.made == []
    assert found.days_ahead >= 89


async def test_the_verb_says_what_there_is_and_how_far(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    answer = orjson.loads(await call(cli.partitions, "--json"))
    assert answer["days_ahead"] >= 89
    assert len([one for one in answer["months"] if one["attached"]]) >= 5
    assert "days ahead" in await call(cli.partitions)


async def test_the_daily_round_makes_the_months_that_are_missing(settings: Settings, alone: str) -> None:
    process = Process(settings.model_copy(update={"database_url": SecretStr(alone)}))
    last = (await months.ensure(process.pool(), process.clock.now())).months[-1].name
    admin = await asyncpg.connect(alone)
    await admin.execute(f"drop table wootstream.{last}")
    await months.ensure_daily(process)
    assert await admin.fetchval("select to_regclass('wootstream.' || $1) is not null", last)
    await admin.close()
    await process.pool().close()


def test_an_event_of_a_month_that_is_gone_is_ignored_and_counted() -> None:
    store, counted = uuid.uuid4(), list[int]()
    kept = KeptSpan(_THEN, {store: _THEN + timedelta(days=10)})

    def read(*moments: datetime) -> Any:
        found = post(store, *(event(one) for one in moments), received_at=_THEN + timedelta(days=12))
        return events.read(found, kept, lambda _store, number: counted.append(number))

    assert read(_THEN - timedelta(seconds=1), _THEN + timedelta(days=9)) is None
    assert len(read(_THEN + timedelta(days=9), _THEN + timedelta(days=11)).rows) == 1
    assert counted == [2, 1]


async def test_nothing_is_kept_before_it_is_known_which_months_are_gone(
    settings: Settings, pool: Pool, admin_pool: Pool
) -> None:
    store, process = await attach(admin_pool), Process(settings)
    keeping = Keeping(process, WidgetMetrics(process.registry))
    since = datetime.now(UTC) - timedelta(days=3)
    async with admin_pool.acquire() as conn:
        await conn.execute(_RETENTION, store, since)
    old, new = post(store, event(since - timedelta(seconds=1))), post(store, event(since + timedelta(seconds=1)))
    too_early = keeping.read(old)
    assert too_early is not None
    async with scoped(pool, {store}) as conn:
        with pytest.raises(Retryable):
            await keeping.keep(conn, [too_early])

    await keeping.refresh()

    assert keeping.read(old) is None
    assert process.registry.get_sample_value("wootstream_widget_events_ignored_total", {"store": str(store)}) == 1
    read = keeping.read(new)
    assert read is not None
    async with scoped(pool, {store}) as conn:
        assert await keeping.keep(conn, [read]) == {new}
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    assert keeping.read(post(await attach(admin_pool), event(long_ago), received_at=long_ago)) is None, "no partition"
    await process.pool().close()


async def test_a_month_goes_only_when_its_longest_keeper_is_done(alone: str) -> None:
    admin = await asyncpg.create_pool(alone, min_size=0, max_size=2)
    short, long = await attach(admin), await attach(admin)
    ending = datetime(2024, 4, 1, tzinfo=UTC)
    async with admin.acquire() as conn:
        await conn.execute("select wootstream.ensure_widget_partitions($1)", _THEN)
        await conn.execute("insert into wootstream.retention values ($1, 'widget', 31, now(), now())", short)
        await conn.execute(
            "insert into wootstream.retention values ($1, 'widget', 900, $2, now())", long, ending - timedelta(days=1)
        )
    pool = open_pool(alone, PRIVACY)
    async with scoped(pool, ()) as conn:
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="still keeps events of 2024-03"):
            await table.detach(conn, _THEN)
    async with admin.acquire() as conn:
        await conn.execute("update wootstream.retention set since = $2 where organization_id = $1", long, ending)
    async with scoped(pool, ()) as conn:
        assert not await table.drop(conn, _THEN), "what is attached is not dropped"
        assert await table.detach(conn, _THEN)
    async with scoped(pool, ()) as conn:
        assert not await table.detach(conn, _THEN)
        assert [one["attached"] for one in await table.months(conn) if one["name"].endswith("202403")] == [False]
        assert await table.drop(conn, _THEN)
        assert not await table.drop(conn, _THEN)
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
            await table.detach(conn, datetime.now(UTC))
    await pool.close()
    await admin.close()


async def test_letting_a_month_go_gives_way_to_writers(alone: str) -> None:
    """A writer in mid-transaction is not waited for longer than a moment, and the next writer goes on."""
    admin = await asyncpg.create_pool(alone, min_size=0, max_size=4)
    store, service, privacy = await attach(admin), open_pool(alone, "wootstream_service"), open_pool(alone, PRIVACY)
    async with admin.acquire() as conn:
        await conn.execute("select wootstream.ensure_widget_partitions($1)", _THEN)
        await conn.execute(_RETENTION, store, datetime.now(UTC))

    async def write(record: Record) -> set[Record]:
        read = events.read(record)
        assert read is not None
        async with scoped(service, {store}) as conn:
            return await handlers.keep(conn, [read])

    async def let_go() -> None:
        async with scoped(privacy, ()) as conn:
            await table.detach(conn, _THEN)

    async with scoped(service, {store}) as conn:
        # Not counted yet: from its first count on a writer has the days to itself.
        await conn.execute(
            "insert into public.chatwoot_widget_events (organization_id, created_at, id, event_type)"
            " values ($1, $2, $3, 'widget_loaded')", store, datetime.now(UTC), uuid.uuid4(),
        )  # fmt: skip
        attempt = asyncio.create_task(let_go())
        next_one = post(store, event(event_type="widget_opened"))
        assert await write(next_one) == {next_one}, "a writer who comes while it waits is not turned away"
        with pytest.raises(asyncpg.LockNotAvailableError):
            await attempt
    await let_go()
    for one in (service, privacy, admin):
        await one.close()
