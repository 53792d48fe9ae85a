"""Customers whose contact is not known here are found, made, or left alone for a day."""

import httpx
import pytest

from tests.services.contacts.bench import Bench, host


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
    (made,) = bench.api.contacts(host(store)).values()
    assert (made.identifier, made.email, made.name) == ("c1", "jan@x.example", "Jan")
    assert made.custom_attributes["customer_tier"] == "Gold"


async def test_a_phone_or_address_that_chatwoot_cannot_hold_costs_itself_and_not_the_contact(bench: Bench) -> None:
    """Chatwoot refuses the whole contact for it, today and tomorrow."""
    store = await bench.store(create_contacts=True)
    await bench.customer(store, email="jan@x.example", phone="06 1234 5678")
    await bench.customer(store, "c2", email="unknown", phone="+31 6 1234-5678")
    for one in ("c1", "c2"):
        await bench.change(store, one)
    await bench.sender.shift()
    made = {one.identifier: (one.email, one.phone_number) for one in bench.api.contacts(host(store)).values()}
    assert made == {"c1": ("jan@x.example", None), "c2": (None, "+31612345678")}


async def test_a_customer_is_found_by_a_phone_that_the_shop_writes_otherwise(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store, phone="+31 (20) 123-4567")
    bench.api.add(host(store), 5, phone_number="+31201234567")
    await bench.change(store)
    await bench.sender.shift()
    assert bench.api.attributes(host(store), 5)["customer_tier"] == "Gold"


async def test_a_contact_that_was_merged_away_is_looked_for_again(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store, email="jan@x.example")
    await bench.contact(store, customer_id="c1", email="jan@x.example")
    bench.api.forget(host(store))
    bench.api.add(host(store), 8, identifier="c1", email="jan@x.example")
    await bench.change(store)
    await bench.sender.shift()
    assert [path for path, _ in bench.made(store)] == ["/7", "/filter", "/8"]
    assert bench.api.attributes(host(store), 8)["customer_tier"] == "Gold"


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
