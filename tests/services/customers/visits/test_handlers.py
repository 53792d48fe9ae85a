"""Where known customers are in the shop: the newest word of each session, in any order of arrival."""

import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from db.pool import Pool, scoped
from services.customers.visits.events import read
from services.customers.visits.handlers import keep as keep_visits
from services.kernel import Record
from tests.services.attached import ACCOUNT_ID, attach
from tests.widget_posts import accepted

_NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def event(second: int, kind: str = "page_viewed", *, customer: str | None = "c1", **fields: Any) -> dict[str, Any]:
    milliseconds = int((_NOON + timedelta(seconds=second)).timestamp() * 1000)
    name = uuid.UUID(int=(milliseconds << 80) | (7 << 76) | (0b10 << 62))
    return {"id": str(name), "event_type": kind, "session_id": "s1", "customer_id": customer} | fields


def cart(second: int, value: int, items: int) -> dict[str, Any]:
    return event(second, "cart_updated", event_data={"value_minor": value, "currency": "EUR", "items": items})


def post(store: uuid.UUID, *events: dict[str, Any]) -> Record:
    return accepted(store, events, received_at=_NOON)


async def keep(pool: Pool, records: Sequence[Record]) -> set[Record]:
    seen = [one for record in records if (one := read(record))]
    async with scoped(pool, {record.store for record in records}) as conn:
        return await keep_visits(conn, seen)


async def visit(pool: Pool, store: uuid.UUID) -> dict[str, Any]:
    async with scoped(pool, {store}) as conn:
        (row,) = await conn.fetch("select * from wootstream.visits")
    return {key: value for key, value in row.items() if key != "organization_id"}


def _history() -> list[dict[str, Any]]:
    return [
        event(0, page_url="https://shop.example/"),
        cart(10, 4_500, 1),
        event(20, page_url="https://shop.example/bed"),
        cart(30, 12_550, 3),
        event(40, page_url="https://shop.example/checkout"),
    ]


async def test_any_order_gives_the_same_visit(pool: Pool, admin_pool: Pool) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance, outcomes = random.Random(seed), []
    for _ in range(5):
        store, events = await attach(admin_pool), _history()
        chance.shuffle(events)
        for one in events:
            await keep(pool, [post(store, one)])
        outcomes.append(await visit(pool, store))
    assert outcomes[1:] == outcomes[:-1]
    assert (outcomes[0]["page_url"], outcomes[0]["cart_minor"], outcomes[0]["cart_items"]) == (
        "https://shop.example/checkout",
        12_550,
        3,
    )
    assert outcomes[0]["last_at"] - outcomes[0]["first_at"] == timedelta(seconds=40)


async def test_the_same_post_twice_is_news_once(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    first, again = post(store, *_history()), post(store, *_history())
    assert await keep(pool, [first, again]) == {first}
    assert await keep(pool, [again]) == set()


async def test_guests_leave_no_visit(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    assert read(post(store, event(0, customer=None))) is None


async def test_a_cart_in_the_storefronts_own_words_is_not_read_and_harms_nothing(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    await keep(pool, [post(store, cart(1, 4_500, 1), event(2, "cart_updated", event_data={"total": "€ 12,50"}))])
    assert (await visit(pool, store))["cart_minor"] == 4_500


async def test_only_customers_whom_somebody_is_talking_to_are_due(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    async with scoped(pool, {store}) as conn:
        for number, status in enumerate(("open", "resolved"), 1):
            await conn.execute(
                "insert into public.chatwoot_contacts"
                " (organization_id, chatwoot_account_id, chatwoot_contact_id, customer_id) values ($1, $2, $3, $4)",
                *(store, ACCOUNT_ID, number, f"c{number}"),
            )
            await conn.execute(
                "insert into public.chatwoot_conversations"
                " (organization_id, chatwoot_account_id, chatwoot_conversation_id, chatwoot_contact_id, status)"
                " values ($1, $2, $3, $3, $4)",
                *(store, ACCOUNT_ID, number, status),
            )
    await keep(pool, [post(store, event(0, customer="c1", page_url="x"), event(1, customer="c2", page_url="x"))])
    async with scoped(pool, {store}) as conn:
        assert [row["person"] for row in await conn.fetch("select person from wootstream.due")] == ["customer:c1"]
