"""What has left does not come back with a replay, and days keep their figures."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from db.pool import scoped
from schemas.reports import Group
from schemas.topics import SHOP_EVENTS, WIDGET_EVENTS
from services.conversations import events, handlers
from services.conversations.reports.reports import By, by_group
from services.customers import app, regrading
from services.customers import handlers as customers
from services.kernel import Record, Retryable
from services.kernel.forgetting.retained import Retained
from tests.recordings.recorded import account_webhooks
from tests.services.attached import attach
from tests.services.conversations import bench
from tests.services.customers.test_handlers import order
from tests.services.privacy.retention.conftest import Installation, swept

_RUN = "chatwoot-4.13.0-bots"
_SPAN = {"since": datetime(2020, 1, 1, tzinfo=UTC), "until": datetime(2040, 1, 1, tzinfo=UTC)}
_KEPT = ("orders", "shop_facts", "customers", "visits")
# What sums by day and inbox can tell.
_STAYS = (
    "conversations_count", "incoming_messages_count", "outgoing_messages_count", "resolutions_count",
    "avg_first_response_time", "avg_resolution_time", "reply_time",
)  # fmt: skip


async def _figures(installation: Installation, shops: dict[str, bench.Shop]) -> list[Any]:
    by: Sequence[By] = ("account", "inboxes", "days")
    found: list[Any] = []
    for shop in shops.values():
        async with scoped(installation.process.pool(), {shop.id}) as conn:
            for grouping in by:
                groups: Sequence[Group] = (await by_group(conn, shop.id, grouping, **_SPAN)).groups
                found += [[shop.account, grouping, one.id, *_staying(one)] for one in groups if any(_staying(one))]
    return found


def _staying(group: Group) -> list[Any]:
    rated = group.satisfaction
    return [*(getattr(group, name) for name in _STAYS), rated.answers, rated.surveys_sent, rated.ratings]


async def test_a_replay_brings_back_nothing_that_has_left_and_reports_say_the_same(installation: Installation) -> None:
    shops, process = await bench.install(installation.admin, _RUN), installation.process
    given = bench.records(account_webhooks(_RUN), shops)
    await bench.apply(process.pool(), given)
    before = await _figures(installation, shops)
    assert any(one[3] for one in before)

    installation.clock.ahead = timedelta(days=3 * 365)
    await swept(installation.sweep())
    installation.clock.ahead += timedelta(hours=2)
    await swept(installation.sweep())

    retained = Retained(process, "chat", events.newest, read=events.read, keep=handlers.keep)
    too_early = [event for one in given if (event := retained.read(one))]
    async with scoped(process.pool(), {shop.id for shop in shops.values()}) as conn:
        with pytest.raises(Retryable):
            await retained.keep(conn, too_early)
        assert await conn.fetchval("select count(*) from wootstream.messages") == 0
        assert await conn.fetchval("select count(*) from wootstream.conversations") == 0
    assert await _figures(installation, shops) == before

    await retained.refresh()
    assert not any(retained.read(one) for one in given)
    ignored = sum(
        process.registry.get_sample_value("wootstream_retention_ignored_total", {"kind": "chat", "store": str(shop.id)})
        or 0
        for shop in shops.values()
    )
    assert ignored == len(too_early)


async def test_customers_are_reckoned_anew_from_the_orders_that_stay(installation: Installation) -> None:
    store, pool = await attach(installation.admin), installation.process.pool()
    day = 24 * 60
    facts = [
        order(store, "paid", "old", minute=-3000 * day, amount=500),
        order(store, "paid", "new", minute=-10 * day, amount=70),
    ]
    async with scoped(pool, {store}) as conn:
        await customers.keep_facts(conn, facts)
    await swept(installation.sweep())
    installation.clock.ahead = timedelta(hours=2)
    await swept(installation.sweep())
    while await regrading.turn(installation.process):
        pass
    async with scoped(pool, {store}) as conn:
        row = await conn.fetchrow("select order_count, spent, outdated from wootstream.customers")
    assert row is not None
    assert (row["order_count"], row["spent"], row["outdated"]) == (1, {"EUR": 70}, False)


def _told(store: uuid.UUID, at: datetime) -> dict[str, Record]:
    """What each of the groups of `customers` hears of one customer at that moment."""
    order = {"specversion": "1.0", "id": "e1", "source": "/shop", "type": "order.placed", "time": at.isoformat(),
             "data": {"customer_id": "c1", "order_id": "o1", "amount_minor": 500, "currency": "EUR"}}  # fmt: skip
    page_id = uuid.UUID(int=(int(at.timestamp() * 1000) << 80) | (7 << 76) | (0b10 << 62))
    page = {"id": str(page_id), "event_type": "page_viewed", "session_id": "s1", "customer_id": "c1",
            "page_url": "https://shop.example/"}  # fmt: skip
    about: dict[str, Any] = {"key": b"", "store": store, "received_at": at}
    return {
        "customers": Record.accepted(
            SHOP_EVENTS.name, value=orjson.dumps(order), event="order.placed", origin="shop", **about
        ),
        "visits": Record.accepted(
            WIDGET_EVENTS.name, value=orjson.dumps([page]), event="beacon", origin="beacon", **about
        ),
    }


async def _hear(installation: Installation, wired: Mapping[str, Any], records: Mapping[str, Record]) -> dict[str, int]:
    """Read and keep each as its group does; the rows that are there then."""
    for group, record in records.items():
        await wired[group]["read"].__self__.refresh()
        async with scoped(installation.process.pool(), {record.store}) as conn:
            if event := wired[group]["read"](record):
                await wired[group]["apply"](conn, [event])
    async with installation.admin.acquire() as conn:
        return {table: await conn.fetchval(f"select count(*) from wootstream.{table}") for table in _KEPT}  # noqa: S608


async def test_a_shops_event_and_a_visit_that_come_again_after_they_left_bring_no_row_back(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what the service itself reads and keeps them with."""
    wired: dict[str, Any] = {}
    monkeypatch.setattr(app, "consume", lambda _process, _topic, *, group, **how: wired.update({group: how}))
    app.add_to(installation.process)
    store = await attach(installation.admin)
    told = _told(store, installation.clock.now())
    assert await _hear(installation, wired, told) == dict.fromkeys(_KEPT, 1)

    for hours in (6 * 365 * 24, 2):  # the moments move, and an hour later what lies before them leaves
        installation.clock.ahead += timedelta(hours=hours)
        await swept(installation.sweep())
    assert await _hear(installation, wired, {}) == dict.fromkeys(_KEPT, 0)
    assert await _hear(installation, wired, told) == dict.fromkeys(_KEPT, 0)
    ignored = installation.process.registry.get_sample_value
    labels = [{"kind": kind, "store": str(store)} for kind in ("shop", "visits")]
    assert [ignored("wootstream_retention_ignored_total", one) for one in labels] == [1, 1]
