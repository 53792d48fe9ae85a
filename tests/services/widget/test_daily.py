"""Daily counts: made with each batch, and the same when they are made anew from the events."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.pool import PRIVACY, Pool, open_pool, scoped
from db.privacy import erasing
from db.widget import daily
from db.widget.event_rows import Key
from services.kernel.consent.analytics import Seen, nobody_withdrew
from services.widget import events, handlers
from services.widget.handlers import RecentEvents
from services.widget.months import ensure
from tests.databases import waiting_for_locks
from tests.eventually import eventually
from tests.services.attached import attach
from tests.services.widget.test_handlers import event, keep, post

_NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
_KEY = ("day", "event_type", "page_group", "device_class", "load_ms")
_ZONES = ("Europe/Amsterdam", "America/St_Johns", "Pacific/Kiritimati")
_PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148"
_PAID = "insert into wootstream.orders (organization_id, order_id, customer_id, paid_at) values ($1, $2, $3, $4)"
_ORDER = (
    "insert into wootstream.orders (organization_id, order_id, customer_id, placed_at, cancelled_at)"
    " values ($1, $2, $3, $4, $5)"
)


async def counts(pool: Pool, store: uuid.UUID) -> list[dict[str, Any]]:
    async with scoped(pool, {store}) as conn:
        found = await conn.fetch(
            f"select {', '.join(_KEY)}, events, failures, ordered from public.chatwoot_widget_daily"  # noqa: S608
            " where organization_id = $1 order by 1, 2, 3, 4, 5", store,
        )  # fmt: skip
    return [dict(row) for row in found]


async def _everybody(_conn: object, _stores: object, seen: Iterable[Seen[Key]]) -> set[Key]:
    """Whom these events name has taken their consent back since."""
    return {key for key, *_ in seen}


async def rebuilt(pool: Pool, store: uuid.UUID) -> list[dict[str, Any]]:
    async with scoped(pool, {store}) as conn:
        kept = await daily.days_kept(conn, store)
        assert kept is not None
        for number in range((kept[1] - kept[0]).days + 1):
            await daily.rebuild_day(conn, store, kept[0] + timedelta(days=number))
    return await counts(pool, store)


_EVENTS = st.lists(
    st.builds(
        lambda minutes, **fields: event(_NOON - timedelta(minutes=minutes), **fields),
        st.integers(0, 9 * 24 * 60),
        event_type=st.sampled_from(("widget_loaded", "widget_opened", "page_viewed", "conversation_started")),
        page_url=st.none() | st.sampled_from(("https://a.example/", "https://a.example/nl/products/x", "nonsense")),
        user_agent=st.none() | st.sampled_from((_PHONE, "Mozilla/5.0 (X11; Linux x86_64)", "Googlebot/2.1")),
        load_time_ms=st.none() | st.integers(0, 2**31 - 1),
        event_data=st.sampled_from(({}, {"failed": True}, {"failed": "true"})),
    ),
    min_size=1,
    max_size=30,
)


@pytest.mark.usefixtures("way")
@settings(max_examples=15, suppress_health_check=[*HealthCheck])
@given(events=_EVENTS, zone=st.sampled_from(_ZONES), seed=st.integers())
async def test_counts_made_anew_from_rows_are_those_made_with_each_batch(
    pool: Pool, admin_pool: Pool, events: list[dict[str, Any]], zone: str, seed: int
) -> None:
    """Shuffled, repeated in the same post, the same batch and later ones, and days late; by processes that saw what
    came before, and by others."""
    store, chance, recent = await attach(admin_pool, timezone=zone), random.Random(seed), RecentEvents()
    sent = [*events, *chance.choices(events, k=len(events))]
    chance.shuffle(sent)
    while sent:
        batch = []
        for _ in range(chance.randint(1, 4)):
            size = chance.randint(1, 6)
            if sent[:size]:
                batch.append(post(store, *sent[:size], received_at=_NOON))
            sent = sent[size:]
        await keep(pool, batch, chance.choice((None, RecentEvents(), recent)))

    made = await counts(pool, store)

    assert await rebuilt(pool, store) == made
    days = Counter[date]()
    for one in {one["id"]: one for one in events}.values():
        moment = datetime.fromtimestamp((uuid.UUID(one["id"]).int >> 80) / 1000, UTC)
        days[moment.astimezone(ZoneInfo(zone)).date()] += 1
    by_day = Counter[date]()
    for row in made:
        by_day[row["day"]] += row["events"]
    assert by_day == days


@pytest.mark.parametrize("how", ["withdrawn", "erased"])
async def test_widgets_that_did_not_come_are_counted_as_such_also_of_people_who_are_nobody_any_more(
    pool: Pool, admin_pool: Pool, database_url: str, how: str
) -> None:
    """Made anew, a day has as many loads and failures as before."""
    store = await attach(admin_pool)
    data = {"failed": True, "note": "hers"}
    told = [event(_NOON, event_data=data), event(_NOON), event(_NOON, event_type="page_viewed", event_data=data)]
    read = events.read(post(store, *told, received_at=_NOON))
    assert read is not None
    withdrawn = _everybody if how == "withdrawn" else nobody_withdrew
    async with scoped(pool, {store}) as conn:
        await handlers.keep(conn, [read], withdrawn)
    if how == "erased":
        own = open_pool(database_url, PRIVACY)
        async with scoped(own, {store}) as conn:
            span = {"begin": _NOON, "end": _NOON + timedelta(days=1)}
            await erasing.events(conn, store, customers=[], sessions=["s1"], users=[], **span)
        await own.close()
    made = await counts(pool, store)
    assert [row["failures"] for row in made if row["event_type"] == "widget_loaded"] == [1]
    assert await rebuilt(pool, store) == made
    async with scoped(pool, {store}) as conn:
        kept = await conn.fetch(
            "select session_id, event_data from public.chatwoot_widget_events where organization_id = $1", store
        )
    assert sorted(str(row["event_data"]) for row in kept) == ["{'failed': True}", "{}", "{}"]
    assert [row["session_id"] for row in kept] == [None] * 3


@pytest.mark.parametrize(
    ("url", "group"),
    [
        (None, "none"), ("", "other"), ("nonsense", "other"), ("https://a.example", "home"),
        ("https://a.example/", "home"),
        ("https://a.example/nl", "home"), ("https://a.example/nl/", "home"), ("https://a.example/en-GB/cart", "cart"),
        ("https://a.example/products/jan@shop.example", "product"), ("https://a.example/NL/Winkelwagen?x", "cart"),
        ("https://a.example/collections/beds", "category"), ("https://a.example/jan-de-vries", "other"),
        ("https://a.example/checkouts/cn/1", "checkout"), ("https://a.example/konto", "account"),
        ("https://a.example/suche?q=bed", "search"), ("https://a.example/blogs/news", "content"),
        ("https://a.example/contact", "help"), ("https://a.example?x=1", "home"),
    ],
)  # fmt: skip
async def test_a_page_is_one_of_a_few_kinds(pool: Pool, url: str | None, group: str) -> None:
    async with pool.acquire() as conn:
        assert await conn.fetchval("select wootstream.page_group($1)", url) == group


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (None, "unknown"), ("", "unknown"), (_PHONE, "mobile"), ("Mozilla/5.0 (X11; Linux x86_64)", "desktop"),
        ("Mozilla/5.0 (iPad; CPU OS 17_0)", "tablet"), ("Mozilla/5.0 (Linux; Android 14; SM-X200)", "tablet"),
        ("Mozilla/5.0 (Linux; Android 14; Pixel 8) Mobile", "mobile"), ("Googlebot/2.1", "bot"),
    ],
)  # fmt: skip
async def test_a_device_is_one_of_five(pool: Pool, agent: str | None, device: str) -> None:
    async with pool.acquire() as conn:
        assert await conn.fetchval("select wootstream.device_class($1)", agent) == device


async def test_a_step_of_load_times_is_a_quarter_too_long_at_most(pool: Pool) -> None:
    async with pool.acquire() as conn:
        rows = await conn.fetch("select n, wootstream.load_step(n) as step from generate_series(65, 65536) n")
        edges = await conn.fetch("select wootstream.load_step(n) as step from unnest(array[null, 0, 64, 2147483647]) n")
    assert [row for row in rows if not row["n"] <= row["step"] < row["n"] * 1.25] == []
    assert len({row["step"] for row in rows}) == 40
    assert [row["step"] for row in edges] == [0, 64, 64, 131072]


async def test_conversations_with_an_order_within_a_week_are_counted(pool: Pool, admin_pool: Pool) -> None:
    store, started = await attach(admin_pool), _NOON - timedelta(days=20)
    fields = {"event_type": "conversation_started", "page_url": "https://a.example/cart"}
    people = {name: timedelta(days=days) for name, days in (("soon", 6), ("late", 8), ("before", -1), ("undone", 1))}
    events = [event(started, customer_id=name, **fields) for name in (*people, "nothing")]
    await keep(pool, [post(store, *events, event(started, **fields), received_at=_NOON)])
    async with scoped(pool, {store}) as conn:
        for name, after in people.items():
            await conn.execute(_ORDER, store, name, name, started + after, _NOON if name == "undone" else None)
        await daily.count_orders(conn, store, started.date())
        await daily.count_orders(conn, store, started.date())
    made = await counts(pool, store)
    assert [(row["events"], row["ordered"]) for row in made] == [(6, 1)]
    assert await rebuilt(pool, store) == made


async def test_a_conversation_followed_by_an_order_of_which_only_the_payment_was_told_counts(
    pool: Pool, admin_pool: Pool
) -> None:
    """An order counts once it was placed or paid, here as in the customer's figures."""
    store, started = await attach(admin_pool), _NOON - timedelta(days=20)
    people = {"soon": timedelta(days=6), "late": timedelta(days=8), "before": timedelta(days=-1)}
    asked = [event(started, event_type="conversation_started", customer_id=name) for name in people]
    await keep(pool, [post(store, *asked, received_at=_NOON)])
    async with scoped(pool, {store}) as conn:
        for name, after in people.items():
            await conn.execute(_PAID, store, name, name, started + after)
        await daily.count_orders(conn, store, started.date())
    assert [(row["events"], row["ordered"]) for row in await counts(pool, store)] == [(3, 1)]


async def test_orders_that_followed_stay_counted_when_their_customers_are_forgotten(
    pool: Pool, admin_pool: Pool, database_url: str
) -> None:
    """Figures stay and name nobody; and who orders nothing more is not counted because somebody else is forgotten."""
    store, started = await attach(admin_pool), _NOON - timedelta(days=2)
    fields = {"event_type": "conversation_started", "page_url": "https://a.example/cart", "user_agent": _PHONE}
    people = [event(started, customer_id=name, session_id=name, **fields) for name in ("goes", "stays", "idle")]
    await keep(pool, [post(store, *people, received_at=_NOON)])
    privacy = open_pool(database_url, PRIVACY)
    async with scoped(pool, {store}) as conn:
        for name in ("goes", "stays"):
            await conn.execute(_ORDER, store, name, name, started + timedelta(hours=1), None)
        await daily.count_orders(conn, store, started.date())
    made = await counts(pool, store)
    for _ in range(2):  # cut short, it is done again
        async with scoped(privacy, {store}) as conn:
            span = {"begin": started - timedelta(days=1), "end": _NOON}
            await erasing.events(conn, store, customers=["goes", "idle"], sessions=["goes"], users=(), **span)
    async with scoped(privacy, {store}) as conn:
        await erasing.customers(conn, store, ["goes", "idle"])
    await privacy.close()
    async with scoped(pool, {store}) as conn:
        await daily.count_orders(conn, store, started.date())
    assert [(row["page_group"], row["ordered"]) for row in made] == [("cart", 2)]
    assert await counts(pool, store) == made
    assert sorted((row["page_group"], row["events"], row["ordered"]) for row in await rebuilt(pool, store)) == [
        ("cart", 1, 1),
        ("none", 2, 1),
    ]
    assert await rebuilt(pool, store) == await counts(pool, store)


async def test_an_hour_that_comes_twice_at_midnight_is_of_the_day_that_begins(pool: Pool, admin_pool: Pool) -> None:
    """On the Azores clocks go back from one to midnight."""
    store, back = await attach(admin_pool, timezone="Atlantic/Azores"), datetime(2026, 10, 25, 1, tzinfo=UTC)
    await ensure(pool, back)
    moments = [back + timedelta(minutes=minutes) for minutes in (-90, -30, 30, 23 * 60)]
    await keep(pool, [post(store, *map(event, moments), received_at=back)])
    made = await counts(pool, store)
    assert [(row["day"].day, row["events"]) for row in made] == [(24, 1), (25, 3)]
    assert await rebuilt(pool, store) == made


async def test_a_day_that_was_never_counted_shows(pool: Pool, admin_pool: Pool) -> None:
    """As rows are that a release wrote which did not count yet."""
    store = await attach(admin_pool)
    await keep(pool, [post(store, event(_NOON))])
    day = _NOON.date()
    async with scoped(pool, {store}) as conn:
        assert await daily.is_counted(conn, store, day)
        await conn.execute("delete from public.chatwoot_widget_daily where organization_id = $1", store)
        assert not await daily.is_counted(conn, store, day)


@pytest.mark.usefixtures("way")
async def test_a_batch_that_counts_by_halves_and_another_that_counts_the_same_days_never_wait_for_each_other(
    pool: Pool, admin_pool: Pool
) -> None:
    """Each waits for the other's row as soon as the first half counts the later day, and the second the earlier."""
    store = await attach(admin_pool)
    early, late = _NOON - timedelta(hours=25), _NOON
    earlier, later = (events.read(post(store, event(at), received_at=_NOON)) for at in (early, late))
    assert earlier is not None
    assert later is not None

    async with scoped(pool, {store}) as conn:
        await handlers.keep(conn, [later])
        other = asyncio.create_task(keep(pool, [post(store, event(early), event(late), received_at=_NOON)]))
        async with admin_pool.acquire() as watch:

            async def waits() -> bool:
                return await waiting_for_locks(watch) > 0

            await eventually(waits)
        await handlers.keep(conn, [earlier])
    await other

    assert [(one["day"], one["events"]) for one in await counts(pool, store)] == [(early.date(), 2), (late.date(), 2)]
