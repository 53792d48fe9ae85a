"""The sender: only the difference, in the fewest calls, in turns between stores."""

import uuid

import httpx
from prometheus_client import CollectorRegistry

from db.people import due
from db.pool import scoped
from services.kernel import Chatwoot
from tests.answering import Answering
from tests.services.attached import ACCOUNT_ID
from tests.services.contacts.bench import AT_ONCE, Bench, host


async def test_a_change_is_one_call_with_the_difference_alone(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store)
    await bench.contact(store, customer_id="c1", cached_attributes={"by_others": 1})
    await bench.change(store)
    await bench.sender.shift()
    await bench.change(store, order_count=2)
    await bench.sender.shift()
    assert bench.made(store)[1] == ("/7", {"custom_attributes": {"order_count": 2}})
    held = bench.api.attributes(host(store), 7)
    assert (held["by_others"], held["customer_tier"], held["order_count"], held["total_spent"]) == (
        1,
        "Gold",
        2,
        "€0.00",
    )
    assert await bench.mailbox(store) == []


async def test_nothing_is_sent_when_chatwoot_has_it_already(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store)
    await bench.contact(store, customer_id="c1")
    for _ in range(3):
        await bench.change(store)
        await bench.sender.shift()
    assert len(bench.made(store)) == 1
    assert (bench.count(store, "sent"), bench.count(store, "saved")) == (1, 2)


async def test_five_marks_before_the_turn_are_one_call_and_four_saved(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store)
    await bench.contact(store, customer_id="c1")
    for count in range(5):
        await bench.change(store, order_count=count)
    await bench.sender.shift()
    assert (len(bench.made(store)), bench.count(store, "saved")) == (1, 4)


async def test_a_person_marked_while_being_sent_is_sent_again(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store)
    await bench.contact(store, customer_id="c1")
    await bench.change(store)
    answer = bench.api.answer
    process = bench.process

    async def and_meanwhile(request: httpx.Request) -> httpx.Response:
        if len(bench.made(store)) == 0:
            await bench.change(store, order_count=9)
        return await answer(request)

    process.chatwoot = Chatwoot(process.settings, bench.clock, CollectorRegistry(), Answering(and_meanwhile))
    await bench.sender.shift()
    assert bench.made(store)[-1] == ("/7", {"custom_attributes": {"order_count": 9}})
    assert await bench.mailbox(store) == []


async def test_a_store_in_shadow_shows_the_difference_and_calls_nobody(bench: Bench) -> None:
    store = await bench.store(push="shadow")
    await bench.customer(store)
    await bench.customer(store, "unknown-there")
    await bench.contact(store, customer_id="c1", cached_attributes={"customer_tier": "Silver"})
    await bench.change(store)
    await bench.change(store, "unknown-there")
    await bench.sender.shift()
    async with scoped(bench.pool, {store}) as conn:
        row = await conn.fetchrow(
            "select changed, removed from wootstream.contact_differences where organization_id = $1", store
        )
    assert row is not None
    assert row["changed"]["customer_tier"] == "Gold"
    assert (bench.made(store), bench.count(store, "shadow"), await bench.mailbox(store)) == ([], 1, [])


async def test_a_store_that_is_off_keeps_its_people_until_it_is_on(bench: Bench) -> None:
    store = await bench.store(push="off")
    await bench.customer(store)
    await bench.contact(store, customer_id="c1")
    await bench.change(store)
    await bench.sender.shift()
    assert (bench.made(store), len(await bench.mailbox(store))) == ([], 1)


async def test_a_key_that_is_no_longer_allowed_is_removed_from_chatwoot(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store, preferred_language="nl")
    await bench.contact(store, customer_id="c1", cached_attributes={"by_others": 1})
    await bench.change(store)
    await bench.sender.shift()
    async with bench.admin.acquire() as conn:
        await conn.execute(
            "update public.chatwoot_accounts set allowed_attributes = $2 where organization_id = $1",
            store,
            ["order_count"],
        )
    await bench.change(store)
    await bench.sender.shift()
    assert bench.api.attributes(host(store), 7) == {"by_others": 1, "order_count": 1}


async def test_a_small_store_gets_its_turn_beside_a_store_with_thousands(bench: Bench) -> None:
    server = f"https://{uuid.uuid4().hex}.example"
    big = await bench.store(chatwoot_base_url=server)
    small = await bench.store(chatwoot_base_url=server, chatwoot_account_id=ACCOUNT_ID + 1)
    async with scoped(bench.pool, {big, small}) as conn:
        await due.mark(conn, [(big, f"customer:{number}") for number in range(3_000)], quiet=AT_ONCE)
        await due.mark(conn, [(small, "customer:1")], quiet=AT_ONCE)
        first = await due.ready(conn, [big, small], limit=200)
    assert (small, "customer:1") in [(row["organization_id"], row["person"]) for row in first[:2]]
    assert len(first) == 200


async def _visit(bench: Bench, store: uuid.UUID, *, items: int, status: str) -> None:
    """The customer has a conversation in that state, and so much in the cart."""
    async with scoped(bench.pool, {store}) as conn:
        await conn.execute(
            "insert into public.chatwoot_conversations"
            " (organization_id, chatwoot_account_id, chatwoot_conversation_id, chatwoot_contact_id, status)"
            " values ($1, $2, 1, 7, $3) on conflict (organization_id, chatwoot_account_id, chatwoot_conversation_id)"
            " do update set status = excluded.status",
            *(store, ACCOUNT_ID, status),
        )
        await conn.execute(
            "insert into wootstream.visits (organization_id, customer_id, session_id, first_at, last_at, page_at,"
            " page_url, cart_at, cart_minor, cart_currency, cart_items) values ($1, 'c1', 's1',"
            " now() - interval '30 minutes', now(), now(), 'https://shop.example/bed', now(), 12550, 'EUR', $2)"
            " on conflict (organization_id, customer_id, session_id) do update set cart_items = excluded.cart_items",
            *(store, items),
        )
    await bench.change(store)


async def test_the_cart_is_told_only_while_a_conversation_is_open_and_once_a_minute(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store)
    await bench.contact(store, customer_id="c1")
    await _visit(bench, store, items=2, status="resolved")
    await bench.sender.shift()
    assert "current_cart_items" not in bench.api.attributes(host(store), 7)
    await _visit(bench, store, items=3, status="open")
    bench.clock.seconds += 61
    await bench.sender.shift()
    held = bench.api.attributes(host(store), 7)
    assert (held["current_cart_value"], held["current_cart_items"], held["session_duration"]) == ("€125.50", 3, 1800)
    await _visit(bench, store, items=4, status="open")
    await bench.sender.shift()
    assert (bench.api.attributes(host(store), 7)["current_cart_items"], len(await bench.mailbox(store))) == (3, 1)
    await bench.ripen(store)
    await bench.sender.shift()
    assert (bench.api.attributes(host(store), 7)["current_cart_items"], await bench.mailbox(store)) == (4, [])


_FOUR_ORDERS = """
insert into wootstream.orders (organization_id, order_id, customer_id, currency, total_minor, refunded_minor,
  placed_at, paid_at, cancelled_at, order_number, order_url, categories)
select $1, 'o' || n, 'c1', 'EUR', n * 1000, case n when 3 then 500 else 0 end,
  timestamptz '2026-01-01' + n * interval '1 day',
  case when n <> 4 then timestamptz '2026-02-01' end, case n when 2 then now() end,
  '#' || n, 'https://shop.example/o/' || n,
  case n when 2 then '["cancelled things"]'::jsonb when 4 then '["lamps", "beds"]' else '["beds"]' end
from generate_series(1, 4) n
"""
_FOUR_SESSIONS = """
insert into wootstream.visits (organization_id, customer_id, session_id, first_at, last_at, categories)
select $1, 'c1', 's' || n, now(), now(), '["chairs", "tables"]'::jsonb from generate_series(1, 4) n
"""
_REOPENED = """
with shown as (
  insert into public.chatwoot_conversations
    (organization_id, chatwoot_account_id, chatwoot_conversation_id, chatwoot_contact_id, status)
  values ($1, $2, 1, 7, 'resolved')
)
insert into wootstream.conversations (organization_id, conversation_id, reopenings) values ($1, 1, 1)
"""


async def test_what_they_buy_their_last_orders_and_that_they_were_escalated_is_told(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store)
    await bench.contact(store, customer_id="c1")
    async with scoped(bench.pool, {store}) as conn:
        await conn.execute(_FOUR_ORDERS, store)
        await conn.execute(_FOUR_SESSIONS, store)
        await conn.execute(_REOPENED, store, ACCOUNT_ID)
    await bench.change(store)
    await bench.sender.shift()
    held = bench.api.attributes(host(store), 7)
    assert held["favorite_categories"] == "beds, chairs, tables"  # 9, then 4 sessions each, then lamps with 3
    assert held["recent_orders"] == (
        "#4 2026-01-05 €40.00 placed; #3 2026-01-04 €30.00 partly refunded; #2 2026-01-03 €20.00 cancelled"
    )
    assert (held["last_order_status"], held["last_order_url"]) == ("placed", "https://shop.example/o/4")
    assert held["escalation_history"] is True
