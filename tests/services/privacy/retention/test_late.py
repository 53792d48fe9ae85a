"""What has left does not come back with a replay, and days keep their figures."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.pool import scoped
from schemas.reports import Group
from services.conversations import events, handlers
from services.conversations.reports.reports import By, by_group
from services.customers import handlers as customers
from services.customers import regrading
from services.kernel import Retryable
from services.kernel.forgetting.retained import Retained
from tests.recordings.recorded import account_webhooks
from tests.services.attached import attach
from tests.services.conversations import bench
from tests.services.customers.test_handlers import order
from tests.services.privacy.retention.conftest import Installation, swept

_RUN = "chatwoot-4.13.0-bots"
_SPAN = {"since": datetime(2020, 1, 1, tzinfo=UTC), "until": datetime(2040, 1, 1, tzinfo=UTC)}
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
