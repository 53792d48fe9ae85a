"""Single events end when their store keeps them no longer: counted, then deleted, or with their month."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson
import pytest

from db.pool import Pool
from db.widget import months as table
from services.kernel import Process, Settings
from services.kernel.forgetting.subjects import Pseudonyms, Subject
from services.widget import cli, retention
from tests.databases import copied_database
from tests.services.attached import attach
from tests.services.conversations.reports.test_cli import call
from tests.services.noon_clock import NoonClock
from tests.services.widget.test_daily import counts
from tests.services.widget.test_handlers import event, keep, post, stored

_NOW = datetime.now(UTC)
_KEEPS = "insert into wootstream.retention (organization_id, kind, days) values ($1, 'widget', $2)"
_ORDER = "insert into wootstream.orders (organization_id, order_id, customer_id, placed_at) values ($1, 'o', 'c1', $2)"
_PARTS = "select relname from pg_class where relname ~ '^chatwoot_widget_events_[0-9]{6}$' and relispartition"


@dataclass
class Installation:
    """A database of its own, whose months no other test needs."""

    url: str
    process: Process
    clock: NoonClock
    pool: Pool
    admin: Any

    async def month(self, at: datetime) -> None:
        async with self.admin.acquire() as conn:
            await conn.execute("select wootstream.ensure_widget_partitions($1)", at)

    async def tidied(self) -> None:
        """A turn puts the moments forward, a later one may delete what lies before them."""
        await retention.tidy(self.process)
        self.clock.ahead += timedelta(hours=2)
        while await retention.tidy(self.process):
            pass

    async def parts(self) -> list[str]:
        async with self.admin.acquire() as conn:
            return [row["relname"] for row in await conn.fetch(_PARTS)]


@pytest.fixture
async def installation(migrated: str, settings: Settings) -> AsyncIterator[Installation]:
    async with copied_database(migrated) as url:
        clock = NoonClock()
        process = Process(Settings.model_validate(settings.model_dump() | {"database_url": url}), clock)
        admin = await asyncpg.create_pool(url, min_size=0, max_size=2)
        yield Installation(url, process, clock, process.pool(), admin)
        await process.close()
        await admin.close()


async def _keeping(one: Installation, days: int) -> uuid.UUID:
    store = await attach(one.admin)
    async with one.admin.acquire() as conn:
        await conn.execute(
            "insert into wootstream.retention (organization_id, kind, days) values ($1, 'widget', $2)", store, days
        )
    return store


async def test_a_store_that_keeps_less_loses_its_rows_and_not_its_counts(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_ROWS_AT_ONCE", 3)
    short, long = await _keeping(installation, 40), await _keeping(installation, 365)
    old, new = _NOW - timedelta(days=60), _NOW - timedelta(days=3)
    await installation.month(old)
    for store in (short, long):
        events = [*(event(old + timedelta(minutes=number)) for number in range(10)), event(new)]
        await keep(installation.pool, [post(store, *events, received_at=old)])
    before = {store: await counts(installation.pool, store) for store in (short, long)}
    parts = await installation.parts()

    await installation.tidied()

    assert len(await stored(installation.pool, short)) == 1
    assert len(await stored(installation.pool, long)) == 11
    assert {store: await counts(installation.pool, store) for store in (short, long)} == before
    assert await installation.parts() == parts


async def test_a_month_that_nobody_keeps_is_counted_and_goes(installation: Installation) -> None:
    store, old = await _keeping(installation, 365), _NOW - timedelta(days=500)
    await installation.month(old)
    await keep(installation.pool, [post(store, event(old), event(old), received_at=old)])
    before = await counts(installation.pool, store)
    async with installation.admin.acquire() as conn:  # as a release left them that did not count yet
        await conn.execute("delete from public.chatwoot_widget_daily")
    name = f"chatwoot_widget_events_{old:%Y%m}"
    assert name in await installation.parts()

    await installation.tidied()

    assert name not in await installation.parts()
    assert await stored(installation.pool, store) == []
    assert await counts(installation.pool, store) == before
    assert sum(row["events"] for row in before) == 2
    async with installation.pool.acquire() as conn:
        assert all(month["attached"] for month in await table.months(conn))


async def test_events_of_somebody_whom_the_law_bids_to_keep_stay_with_their_month(installation: Installation) -> None:
    store, old = await _keeping(installation, 365), _NOW - timedelta(days=500)
    await installation.month(old)
    events = [event(old + timedelta(minutes=number), customer_id=f"c{number}") for number in range(3)]
    await keep(installation.pool, [post(store, *events, received_at=old)])
    digest = Pseudonyms(installation.process.secrets).of(store, Subject("customer", "c1"))[0]
    async with installation.admin.acquire() as conn:
        await conn.execute("insert into wootstream.legal_holds values ($1, $2, 'a lawsuit')", store, digest)
    await installation.tidied()
    assert [row["customer_id"] for row in await stored(installation.pool, store)] == ["c1"]
    assert f"chatwoot_widget_events_{old:%Y%m}" in await installation.parts()


async def test_what_was_let_go_and_not_dropped_is_dropped_later(installation: Installation) -> None:
    store, old = await _keeping(installation, 365), _NOW - timedelta(days=500)
    await installation.month(old)
    name = f"chatwoot_widget_events_{old:%Y%m}"
    async with installation.admin.acquire() as conn:
        await conn.execute(f"alter table public.chatwoot_widget_events detach partition wootstream.{name}")
    await installation.tidied()
    async with installation.admin.acquire() as conn:
        assert await conn.fetchval("select to_regclass($1)", f"wootstream.{name}") is None
    assert await stored(installation.pool, store) == []


async def test_nothing_goes_within_the_hour_in_which_its_moment_moved(installation: Installation) -> None:
    """A batch that is in the middle of its transaction may still keep an event of before."""
    store, old = await _keeping(installation, 365), _NOW - timedelta(days=500)
    await installation.month(old)
    await keep(installation.pool, [post(store, event(old), received_at=old)])
    await retention.tidy(installation.process)
    await retention.tidy(installation.process)
    assert len(await stored(installation.pool, store)) == 1


async def test_days_are_counted_anew_by_the_verb_as_far_as_their_events_are_kept(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", installation.url)
    store, other = await _keeping(installation, 40), await _keeping(installation, 365)
    old, new = _NOW - timedelta(days=60), _NOW - timedelta(days=3)
    await installation.month(old)
    await keep(installation.pool, [post(store, event(old), event(new), received_at=old)])
    await installation.tidied()
    made = await counts(installation.pool, store)
    async with installation.admin.acquire() as conn:
        await conn.execute("update public.chatwoot_widget_daily set events = 7 where day > current_date - 20")
    answer = orjson.loads(await call(cli.partitions, "rebuild", "--json"))
    assert answer == {f"shop-{store.hex[:12]}": 1, f"shop-{other.hex[:12]}": 0}
    assert await counts(installation.pool, store) == made


async def test_orders_of_the_last_days_are_counted_by_the_hour(installation: Installation) -> None:
    store, started = await _keeping(installation, 365), _NOW - timedelta(days=2)
    await keep(
        installation.pool,
        [post(store, event(started, event_type="conversation_started", customer_id="c1"), received_at=_NOW)],
    )
    async with installation.admin.acquire() as conn:
        await conn.execute(_ORDER, store, _NOW)
    await retention.count_orders(installation.process)
    assert [row["ordered"] for row in await counts(installation.pool, store)] == [1]
