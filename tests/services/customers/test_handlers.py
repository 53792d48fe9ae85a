"""Shop events become the same rows in any order, however often they come."""

import asyncio
import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from db.people import customers as table
from db.pool import Pool, scoped
from schemas.topics import SHOP_EVENTS
from services.customers import handlers
from services.customers.events import ShopFact
from services.kernel import Record
from tests.services.attached import attach

_NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def event(store: uuid.UUID, kind: str, *, minute: int = 0, customer: str = "c1", **fields: Any) -> ShopFact:
    """An event of the shop; its id follows from its content."""
    at = _NOON + timedelta(minutes=minute)
    record = Record.accepted(
        SHOP_EVENTS.name, key=b"", value=b"", store=store, event=kind, origin="shop", received_at=at
    )
    event_id = f"{kind}/{minute}/{fields.get('order_id')}/{customer}"
    return ShopFact(record, store, "shop", event_id, kind, at, customer, **fields)


def order(
    store: uuid.UUID, kind: str, order_id: str, *, minute: int = 0, amount: int | None = None, **more: Any
) -> ShopFact:
    currency = more.pop("currency", "EUR") if amount is not None else None
    return event(
        store, f"order.{kind}", minute=minute, order_id=order_id, amount_minor=amount, currency=currency, **more
    )


async def keep(pool: Pool, events: Sequence[ShopFact]) -> int:
    async with scoped(pool, {event.store for event in events}) as conn:
        return len(await handlers.keep_facts(conn, events))


async def rows(pool: Pool, store: uuid.UUID, table: str) -> list[dict[str, Any]]:
    async with scoped(pool, {store}) as conn:
        found = await conn.fetch(f"select * from wootstream.{table} where organization_id = $1 order by 1, 2", store)  # noqa: S608
    return [{key: value for key, value in row.items() if key != "updated_at"} for row in found]


async def customer(pool: Pool, store: uuid.UUID, customer_id: str = "c1") -> dict[str, Any]:
    return next(row for row in await rows(pool, store, "customers") if row["customer_id"] == customer_id)


async def test_the_same_batch_twice_changes_nothing(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    events = [order(store, "placed", "o1", amount=10_000), order(store, "paid", "o1", minute=1)]
    assert await keep(pool, events) == 2
    before = await rows(pool, store, "orders"), await rows(pool, store, "customers"), await rows(pool, store, "due")
    assert await keep(pool, events) == 0
    assert (
        await rows(pool, store, "orders"),
        await rows(pool, store, "customers"),
        await rows(pool, store, "due"),
    ) == before


async def test_one_event_twice_in_a_batch_is_news_once(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    event, again = (order(store, "placed", "o1", amount=100) for _ in range(2))
    assert await keep(pool, [event, again]) == 1


async def test_an_order_of_any_number_of_events_is_reckoned_from_its_newest_in_any_order(
    pool: Pool, admin_pool: Pool
) -> None:
    """Such as a shop that says the same each hour under another id, or calls all its orders alike: each event would
    cost the reading of all before, and hold up every other store."""
    most, chance = handlers.MOST_FACTS, random.Random(7)
    for refunds, counted in ((60, 60), (most + 100, most - 1)):
        for _ in range(2):
            store = await attach(admin_pool)
            events = [order(store, "refunded", "o1", minute=at, amount=1) for at in range(refunds)]
            events.append(order(store, "placed", "o1", minute=most * 2, amount=10_000))
            chance.shuffle(events)
            for first in range(0, len(events), 200):
                await keep(pool, events[first : first + 200])
            (row,) = await rows(pool, store, "orders")
            assert (row["total_minor"], row["refunded_minor"]) == (10_000, counted)


async def test_any_order_and_any_batches_give_the_same_figures(pool: Pool, admin_pool: Pool) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    outcomes = []
    for _ in range(6):
        store = await attach(admin_pool)
        events = _history(store)
        chance.shuffle(events)
        while events:
            part = chance.randrange(1, 9)
            await keep(pool, [*events[:part], *chance.sample(events, min(2, len(events)))])
            events = events[part:]
        outcomes.append(
            [_without_store(row) for name in ("orders", "customers") for row in await rows(pool, store, name)]
        )
    assert outcomes[1:] == outcomes[:-1]
    assert [(row["customer_id"], row["order_count"], row["spent"]) for row in outcomes[0] if "spent" in row] == [
        ("c1", 3, {"EUR": 23_000, "GBP": 500}),
        ("c2", 1, {"EUR": 7_000}),
    ]


def _history(store: uuid.UUID) -> list[ShopFact]:
    return [
        event(store, "customer.registered", profile={"email": "jan@x.example", "registered_at": _NOON}),
        event(store, "customer.updated", minute=9, profile={"email": "jan@y.example", "marketing_consent": True}),
        event(store, "customer.updated", minute=5, profile={"email": "jan@z.example", "name": "Jan"}),
        order(store, "placed", "o1", amount=20_000, order_number="#1", categories=("beds", "lamps")),
        order(store, "paid", "o1", minute=1, order_url="https://x.example/1", categories=("beds",)),
        order(store, "refunded", "o1", minute=7, amount=1_500),
        order(store, "refunded", "o1", minute=8, amount=500),
        order(store, "placed", "o2", minute=2, amount=5_000),
        order(store, "paid", "o2", minute=3),
        order(store, "placed", "o3", minute=2, amount=9_999),
        order(store, "paid", "o3", minute=3),
        order(store, "cancelled", "o3", minute=4),
        order(store, "placed", "o4", minute=2, amount=500, currency="GBP"),
        order(store, "paid", "o4", minute=3),
        order(store, "placed", "o5", minute=2, amount=7_000),
        order(store, "paid", "o5", minute=6, customer="c2"),
    ]


def _without_store(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "organization_id"}


async def test_the_newest_word_of_each_field_stays_whatever_comes_late(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    await keep(pool, [event(store, "customer.updated", minute=9, profile={"email": "new@x.example"})])
    await keep(pool, [event(store, "customer.updated", minute=5, profile={"email": "old@x.example", "name": "Jan"})])
    row = await customer(pool, store)
    assert (row["email"], row["name"]) == ("new@x.example", "Jan")


async def test_an_order_that_changed_hands_counts_for_its_new_owner_alone(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    await keep(pool, [order(store, "placed", "o1", amount=60_000), order(store, "paid", "o1", minute=1)])
    await keep(pool, [order(store, "paid", "o1", minute=2, customer="member")])
    guest, member = await customer(pool, store), await customer(pool, store, "member")
    assert (guest["order_count"], guest["spent"], member["order_count"], member["spent"]) == (0, {}, 1, {"EUR": 60_000})
    assert member["customer_tier"] == "Silver"


async def test_an_order_that_was_cancelled_and_comes_back_counts_again(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    placed = [order(store, "placed", "o1", amount=10_000), order(store, "paid", "o1", minute=1)]
    await keep(pool, [*placed, order(store, "cancelled", "o1", minute=2)])
    gone = await customer(pool, store)
    await keep(pool, [order(store, "reinstated", "o1", minute=3)])
    back = await customer(pool, store)

    assert [(one["order_count"], one["spent"]) for one in (gone, back)] == [(0, {}), (1, {"EUR": 10_000})]


async def test_whoever_has_news_is_due_and_named_as_often_as_they_had(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    await keep(pool, [order(store, "placed", f"o{number}", amount=100) for number in range(5)])
    assert [(row["person"], row["marks"]) for row in await rows(pool, store, "due")] == [("customer:c1", 5)]


async def test_two_consumers_with_one_order_each_see_what_the_other_kept(pool: Pool, admin_pool: Pool) -> None:
    """The later transaction waits for the earlier one's lock, then reckons with its facts."""
    store = await attach(admin_pool)
    async with scoped(pool, {store}) as one:
        await handlers.keep_facts(one, [order(store, "placed", "o1", amount=10_000)])
        other = asyncio.create_task(keep(pool, [order(store, "paid", "o1", minute=1, customer="c2")]))
        done, _ = await asyncio.wait([other], timeout=0.3)
        assert not done
    await other
    assert (await customer(pool, store, "c2"))["spent"] == {"EUR": 10_000}


async def test_the_newest_facts_of_an_order_are_read_by_an_index(pool: Pool, admin_pool: Pool) -> None:
    """As many as are wanted, without a look at the others, also where all are of one moment."""
    store = await attach(admin_pool)
    async with admin_pool.acquire() as conn:
        await conn.execute(
            "insert into wootstream.shop_facts"
            " (organization_id, source, event_id, kind, happened_at, customer_id, order_id)"
            " select $1, 's', g::text, 'order.cancelled', now(), 'c1',"
            " case when g <= 5000 then 'o1' else 'o' || g end from generate_series(1, 25000) g", store,
        )  # fmt: skip
        await conn.execute("analyze wootstream.shop_facts")

    class Explained:
        async def fetch(self, query: str, *args: Any) -> Any:
            return await conn.fetch("explain " + query, *args)

    async with scoped(pool, {store}) as conn:
        found = await table.facts(Explained(), {(store, "o1")}, most=5)  # type: ignore[arg-type]
    plan = "\n".join(row[0] for row in found)  # type: ignore[index]
    assert ("shop_facts_of_order" in plan, "Sort" in plan) == (True, False), plan
