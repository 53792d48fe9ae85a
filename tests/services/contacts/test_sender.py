"""The sender: only the difference, once, whatever fails on the way."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from db import due, pushes
from db.pool import Pool, scoped
from services.contacts.account import Account
from services.contacts.counts import Counts
from services.contacts.sender import Sender
from services.kernel import Chatwoot, Process, Settings
from tests.services.attached import ACCOUNT_ID, attach
from tests.services.contacts.api import ContactsApi
from tests.unit.test_chatwoot import Hand

_AT_ONCE = timedelta(0)


@dataclass
class Bench:
    """A sender with a clock of its own, and a Chatwoot that only it calls."""

    process: Process
    sender: Sender
    api: ContactsApi
    clock: Hand
    pool: Pool
    admin: Pool

    async def store(self, **columns: Any) -> uuid.UUID:
        store = await attach(self.admin, **{"push": "live"} | columns)
        sealed = self.process.secrets.seal("token", organization=store, column="api_access_token")
        async with self.admin.acquire() as conn:
            await conn.execute(
                "update public.chatwoot_accounts set api_access_token = $2 where organization_id = $1", store, sealed
            )
        return store

    async def customer(self, store: uuid.UUID, customer: str = "c1", **columns: Any) -> None:
        values = {
            "organization_id": store,
            "customer_id": customer,
            "order_count": 1,
            "customer_tier": "Gold",
        } | columns
        await self._insert(store, "wootstream.customers", values)

    async def contact(self, store: uuid.UUID, contact: int = 7, **columns: Any) -> None:
        """Known here and there."""
        values = {"organization_id": store, "chatwoot_account_id": ACCOUNT_ID, "chatwoot_contact_id": contact} | columns
        await self._insert(store, "public.chatwoot_contacts", values)
        names = {"identifier": columns.get("customer_id"), "email": columns.get("email")}
        self.api.add(host(store), contact, **names, custom_attributes=columns.get("cached_attributes", {}))

    async def _insert(self, store: uuid.UUID, table: str, values: dict[str, Any]) -> None:
        holes = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        async with scoped(self.pool, {store}) as conn:
            await conn.execute(f"insert into {table} ({', '.join(values)}) values ({holes})", *values.values())  # noqa: S608

    async def change(self, store: uuid.UUID, customer: str = "c1", **columns: Any) -> None:
        """The shop says something, and the customer is due at once."""
        async with scoped(self.pool, {store}) as conn:
            for name, value in columns.items():
                await conn.execute(
                    f"update wootstream.customers set {name} = $3 where organization_id = $1 and customer_id = $2",  # noqa: S608
                    store,
                    customer,
                    value,
                )
            await due.mark(conn, [(store, f"customer:{customer}")], quiet=_AT_ONCE)

    async def mailbox(self, store: uuid.UUID) -> list[dict[str, Any]]:
        async with scoped(self.pool, {store}) as conn:
            return [dict(row) for row in await conn.fetch("select * from wootstream.due order by person")]

    async def ripen(self, store: uuid.UUID) -> None:
        """Their back-off is over."""
        self.clock.seconds += 60
        async with scoped(self.pool, {store}) as conn:
            await conn.execute("update wootstream.due set not_before = now()")

    def made(self, store: uuid.UUID) -> list[tuple[str, Any]]:
        """Path and body of the calls for this store; what other tests left due is served beside it."""
        return self.api.made(host(store))

    def count(self, store: uuid.UUID, outcome: str) -> float:
        found = self.process.registry.get_sample_value(
            "wootstream_contacts_calls_total", {"store": str(store), "outcome": outcome}
        )
        return found or 0.0


def host(store: uuid.UUID) -> str:
    return f"{store.hex}.example"


@pytest.fixture
async def bench(settings: Settings, pool: Pool, admin_pool: Pool) -> AsyncIterator[Bench]:
    clock, api = Hand(), ContactsApi()
    process = Process(settings, clock)
    await process.chatwoot.close()
    process.chatwoot = Chatwoot(settings, clock, CollectorRegistry(), httpx.MockTransport(api.answer))
    yield Bench(process, Sender(process, Counts(process.registry)), api, clock, pool, admin_pool)
    await process.chatwoot.close()
    await process.pool().close()


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
        return answer(request)

    process.chatwoot = Chatwoot(process.settings, bench.clock, CollectorRegistry(), httpx.MockTransport(and_meanwhile))
    await bench.sender.shift()
    assert bench.made(store)[-1] == ("/7", {"custom_attributes": {"order_count": 9}})
    assert await bench.mailbox(store) == []


@pytest.mark.parametrize(
    "fault", [httpx.Response(503), httpx.ConnectError("down"), httpx.Response(401, json={"error": "x"})]
)
async def test_an_outage_loses_nothing_and_a_store_at_rest_is_not_called(
    bench: Bench, fault: httpx.Response | Exception
) -> None:
    store = await bench.store()
    for number in range(30):
        await bench.customer(store, f"c{number}")
        await bench.contact(store, number, customer_id=f"c{number}")
        await bench.change(store, f"c{number}")
    bench.api.fault = fault
    await bench.sender.shift()
    assert len(await bench.mailbox(store)) == 30
    assert len(bench.made(store)) <= 8  # those in flight when the first one failed
    bench.api.fault = None
    await bench.ripen(store)
    await bench.sender.shift()
    assert await bench.mailbox(store) == []
    assert {bench.api.attributes(host(store), number)["customer_tier"] for number in range(30)} == {"Gold"}


async def test_one_stores_outage_does_not_delay_another(bench: Bench) -> None:
    down, well = await bench.store(), await bench.store()
    for store in (down, well):
        await bench.customer(store)
        await bench.contact(store, customer_id="c1")
        await bench.change(store)
    bench.api.contacts.pop((host(well), 7))
    bench.api.add(host(well), 7, identifier="c1")
    answer = bench.api.answer

    def only_one_is_down(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500) if request.url.host == host(down) else answer(request)

    bench.process.chatwoot = Chatwoot(
        bench.process.settings, bench.clock, CollectorRegistry(), httpx.MockTransport(only_one_is_down)
    )
    await bench.sender.shift()
    assert bench.api.attributes(host(well), 7)["customer_tier"] == "Gold"
    assert [row["attempts"] for row in await bench.mailbox(down)] == [1]


async def test_a_token_that_cannot_be_opened_stops_its_own_store_only(bench: Bench) -> None:
    sealed_elsewhere, well = await bench.store(), await bench.store()
    for store in (sealed_elsewhere, well):
        await bench.customer(store)
        await bench.contact(store, customer_id="c1")
        await bench.change(store)
    async with bench.admin.acquire() as conn:
        await conn.execute(
            "update public.chatwoot_accounts set api_access_token = 'v1.x.x' where organization_id = $1",
            sealed_elsewhere,
        )
    await bench.sender.shift()
    assert (await bench.mailbox(well), len(await bench.mailbox(sealed_elsewhere))) == ([], 1)


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


async def test_a_customer_whom_only_chatwoot_knows_is_found_by_name(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store, email="jan@x.example")
    bench.api.add(host(store), 4, email="piet@x.example")
    bench.api.add(host(store), 5, email="jan@x.example")
    await bench.change(store)
    await bench.sender.shift()
    assert bench.api.attributes(host(store), 5)["customer_tier"] == "Gold"
    assert bench.api.attributes(host(store), 4) == {}


async def test_a_customer_whom_nobody_knows_is_asked_for_once_a_day(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store, email="jan@x.example")
    for _ in range(3):
        await bench.change(store)
        await bench.sender.shift()
    assert [path for path, _ in bench.made(store)] == ["/filter"]
    await bench.change(store, email="other@x.example")
    await bench.sender.shift()
    bench.clock.seconds += 86_401
    await bench.change(store)
    await bench.sender.shift()
    assert [path for path, _ in bench.made(store)] == ["/filter"] * 3


async def test_a_store_that_wants_it_gets_a_contact_made(bench: Bench) -> None:
    store = await bench.store(create_contacts=True)
    await bench.customer(store, email="jan@x.example", name="Jan")
    await bench.change(store)
    await bench.sender.shift()
    (made,) = (contact for (at, _), contact in bench.api.contacts.items() if at == host(store))
    assert (made["identifier"], made["email"], made["name"]) == ("c1", "jan@x.example", "Jan")
    assert made["custom_attributes"]["customer_tier"] == "Gold"


async def test_a_contact_that_was_merged_away_is_looked_for_again(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store, email="jan@x.example")
    await bench.contact(store, customer_id="c1", email="jan@x.example")
    bench.api.contacts.clear()
    bench.api.add(host(store), 8, identifier="c1", email="jan@x.example")
    await bench.change(store)
    await bench.sender.shift()
    assert [path for path, _ in bench.made(store)] == ["/7", "/filter", "/8"]
    assert bench.api.attributes(host(store), 8)["customer_tier"] == "Gold"


async def test_a_refusal_is_written_down_and_not_repeated(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store)
    await bench.contact(store, customer_id="c1")
    bench.api.fault = httpx.Response(
        422, json={"message": "Telefonnummer ist ungültig", "attributes": ["phone_number"]}
    )
    await bench.change(store)
    await bench.sender.shift()
    await bench.sender.shift()
    async with scoped(bench.pool, {store}) as conn:
        error = await conn.fetchval("select sync_error from public.chatwoot_contacts where organization_id = $1", store)
    assert (error, len(bench.made(store))) == ("Chatwoot answers 422: phone_number", 1)


@pytest.mark.parametrize("status", [404, 422])
async def test_a_search_that_is_refused_ends_with_that_customer(bench: Bench, status: int) -> None:
    store = await bench.store()
    await bench.customer(store, email="jan@x.example")
    bench.api.fault = httpx.Response(status, json={"error": "?"})
    await bench.change(store)
    await bench.sender.shift()
    assert (await bench.mailbox(store), len(bench.made(store))) == ([], 1)


async def test_guests_with_one_address_do_not_take_turns_in_one_contact(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store, "guest-1", email="jan@x.example", order_count=1)
    await bench.customer(store, "member", email="Jan@x.example", order_count=8)
    await bench.contact(store, email="jan@x.example")
    for one in ("guest-1", "member", "guest-1"):
        await bench.change(store, one)
        await bench.sender.shift()
    assert bench.api.attributes(host(store), 7)["order_count"] == 8
    assert len(bench.made(store)) == 1


async def test_a_small_store_gets_its_turn_beside_a_store_with_thousands(bench: Bench) -> None:
    server = f"https://{uuid.uuid4().hex}.example"
    big = await bench.store(chatwoot_base_url=server)
    small = await bench.store(chatwoot_base_url=server, chatwoot_account_id=ACCOUNT_ID + 1)
    async with scoped(bench.pool, {big, small}) as conn:
        await due.mark(conn, [(big, f"customer:{number}") for number in range(3_000)], quiet=_AT_ONCE)
        await due.mark(conn, [(small, "customer:1")], quiet=_AT_ONCE)
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


async def test_a_sender_that_died_after_chatwoots_answer_leaves_the_person_due(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store)
    await bench.contact(store, customer_id="c1")
    await bench.change(store)

    def die(request: httpx.Request) -> httpx.Response:
        bench.api.answer(request)
        raise asyncio.CancelledError

    process = bench.process
    process.chatwoot = Chatwoot(process.settings, bench.clock, CollectorRegistry(), httpx.MockTransport(die))
    with suppress(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await bench.sender._round([await _account(bench, store)])
    assert len(await bench.mailbox(store)) == 1
    process.chatwoot = Chatwoot(
        process.settings, bench.clock, CollectorRegistry(), httpx.MockTransport(bench.api.answer)
    )
    await Sender(process, Counts(CollectorRegistry())).shift()
    assert bench.made(store)[0] == bench.made(store)[1]
    assert await bench.mailbox(store) == []


async def _account(bench: Bench, store: uuid.UUID) -> Account:
    async with scoped(bench.pool, {store}) as conn:
        return Account.of((await pushes.accounts(conn))[0])
