"""Widget events are stored once, in the month that their ids name."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import asyncpg
import orjson
import pytest
import uuid_utils
from pydantic import ValidationError

from db.migrate import migrate
from db.pool import Pool, scoped
from db.widget import event_rows as table
from services.kernel import Invalid, Record
from services.widget import events, handlers
from services.widget.handlers import RecentEvents
from tests.databases import copied_database
from tests.services.attached import attach
from tests.widget_posts import accepted

pytestmark = pytest.mark.usefixtures("way")
_NOW = datetime.now(UTC)


def event(at: datetime = _NOW, **fields: Any) -> dict[str, Any]:
    milliseconds = int(at.timestamp() * 1000)
    name = uuid.UUID(int=(milliseconds << 80) | (uuid.UUID(str(uuid_utils.uuid7())).int & (2**80 - 1)))
    return {"id": str(name), "event_type": "widget_loaded", "session_id": "s1"} | fields


def post(store: uuid.UUID, *events: dict[str, Any], received_at: datetime = _NOW) -> Record:
    return accepted(store, events, received_at=received_at)


async def keep(pool: Pool, records: Sequence[Record], recent: RecentEvents | None = None) -> set[Record]:
    posts = [read for record in records if (read := events.read(record))]
    async with scoped(pool, {record.store for record in records}) as conn:
        return await handlers.keep(conn, posts, recent=recent)


async def stored(pool: Pool, store: uuid.UUID) -> list[dict[str, Any]]:
    async with scoped(pool, {store}) as conn:
        found = await conn.fetch(
            "select *, tableoid::regclass::text as part from public.chatwoot_widget_events order by id"
        )
    return [dict(row) for row in found]


async def test_the_same_batch_twice_changes_nothing(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    records = [post(store, event(), event()), post(store, event())]
    assert await keep(pool, records) == set(records)
    assert await keep(pool, records) == set()
    assert len(await stored(pool, store)) == 3


async def test_a_record_is_news_when_any_of_its_events_is(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    old, new = event(), event()
    first, repeat, mixed = post(store, old), post(store, old), post(store, old, new)
    assert await keep(pool, [first, repeat]) == {first}
    assert await keep(pool, [mixed]) == {mixed}
    assert len(await stored(pool, store)) == 2


async def test_what_was_known_is_told_of_each_batch_of_a_transaction_by_itself(pool: Pool, admin_pool: Pool) -> None:
    """As a batch is tried by halves."""
    store = await attach(admin_pool)
    posts = [events.read(post(store, event())) for _ in range(3)]
    first, second, third = (one.rows[0] for one in posts if one)
    async with scoped(pool, {store}) as conn:
        assert await table.add(conn, [first]) == set()
        assert await table.add(conn, [second, third]) == set()
        assert await table.add(conn, [third]) == {(store.int, third.id.int)}


async def test_what_was_taken_for_new_and_was_there_already_is_stored_once(pool: Pool, admin_pool: Pool) -> None:
    """As a repeat is that comes to a process which did not see the first."""
    store, recent = await attach(admin_pool), RecentEvents()
    first, second, third = event(), event(), event()
    both, mixed, repeat = post(store, first, second), post(store, second, third), post(store, first)
    assert await keep(pool, [both], RecentEvents()) == {both}
    assert await keep(pool, [mixed, repeat], recent) == {mixed}
    assert await keep(pool, [mixed, repeat], recent) == set()
    assert len(await stored(pool, store)) == 3
    async with scoped(pool, {store}) as conn:
        assert await conn.fetchval("select sum(events) from public.chatwoot_widget_daily") == 3


def test_a_process_knows_the_last_events_that_it_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "_REMEMBERED", 2)
    recent = RecentEvents()
    assert [recent.are_new(ids) for ids in ((1, 2), (2,), (3, 4), (5, 6))] == [True, False, True, True]
    assert not recent.are_new([4])
    assert recent.are_new([1])


async def test_the_same_id_in_two_stores_is_two_events(pool: Pool, admin_pool: Pool) -> None:
    one, other = await attach(admin_pool), await attach(admin_pool)
    same = event()
    assert len(await keep(pool, [post(one, same), post(other, same)])) == 2


async def test_an_event_keeps_what_the_browser_said(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    fields: dict[str, Any] = {
        "page_url": "https://shop.example/bed", "user_agent": "Mozilla", "ip_address": "192.0.2.0", "load_time_ms": 812,
        "customer_id": "c1", "event_data": {"items": 3, "value_minor": 12_550, "currency": "EUR"},
    }  # fmt: skip
    await keep(pool, [post(store, event(**fields))])
    (row,) = await stored(pool, store)
    assert {key: row[key] for key in fields} == fields | {"ip_address": ip_address("192.0.2.0")}
    assert row["part"].endswith(f"_{row['created_at']:%Y%m}")


async def test_every_column_comes_back_as_it_was_told(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    full = events.read(
        post(
            store,
            event(
                session_id="s\u00e9\t\\N", user_id=str(uuid.UUID(int=7)), customer_id="c", page_url="https://a.example/\u20ac",
                user_agent="", ip_address="2001:db8::", referrer="r\n", load_time_ms=2**31 - 1, widget_version="1",
                event_data={"a": '"'},
            ),
        )
    )  # fmt: skip
    bare = events.read(post(store, event(_NOW - timedelta(days=1), session_id=None)))
    assert full
    assert bare
    async with scoped(pool, {store}) as conn:
        await table.add(conn, [*bare.rows, *full.rows], pieces=[bare.encoded, full.encoded])
    told = [one._asdict() | {"event_data": orjson.loads(one.event_data)} for one in (*bare.rows, *full.rows)]
    found = [
        {name: row[name] for name in told[0]} | {"ip_address": row["ip_address"] and str(row["ip_address"])}
        for row in await stored(pool, store)
    ]
    assert found == told


async def test_what_waited_for_a_week_still_finds_its_month(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    await keep(pool, [post(store, event(_NOW - timedelta(days=9)), event(_NOW + timedelta(days=60)))])
    assert len({row["part"] for row in await stored(pool, store)}) >= 2


async def test_an_event_of_a_month_long_gone_is_refused_as_that_record_alone(pool: Pool, admin_pool: Pool) -> None:
    store, then = await attach(admin_pool), _NOW - timedelta(days=400)
    with pytest.raises(Invalid, match="far from when it was received"):
        events.read(post(store, event(then)))
    with pytest.raises(asyncpg.CheckViolationError):
        await keep(pool, [post(store, event(then), received_at=then)])


async def test_strange_text_is_stored_not_refused(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    await keep(
        pool, [post(store, event(session_id="a\0b", page_url="x" * 9_000, event_data={"k\0": "v\0"}, load_time_ms=-1))]
    )
    (row,) = await stored(pool, store)
    assert (row["session_id"], len(row["page_url"]), row["event_data"], row["load_time_ms"]) == (
        "a\ufffdb", 2048, {"k\ufffd": "v\ufffd"}, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [b"[", b"{}", b'[{"id": "x"}]', b'[{"id": "5f0c8a52-3f3e-4a53-9d3e-3a3f0f6f2b11", "event_type": "widget_loaded"}]'],
)
async def test_what_is_no_array_of_events_is_set_aside(value: bytes) -> None:
    record = Record("widget.events", b"", value, (("store", b"7a000000-0000-4000-8000-000000000001"),))
    with pytest.raises((ValidationError, ValueError)):
        events.read(record)


async def test_a_migration_lets_the_service_make_a_table_of_the_session(migrated: str) -> None:
    """Where somebody took from everybody what PostgreSQL gives them by default."""
    async with copied_database(migrated) as url:
        admin = await asyncpg.connect(url)
        name = await admin.fetchval("select current_database()")
        await admin.execute(f"revoke temporary on database {name} from public, wootstream_service")
        await migrate(url)
        assert await admin.fetchval("select has_database_privilege('wootstream_service', $1, 'temporary')", name)
        await admin.close()
