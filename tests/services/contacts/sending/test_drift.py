"""What somebody in Chatwoot changes by hand is set back, or stays theirs, attribute by attribute."""

import uuid
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from db.pool import scoped
from services.kernel import Chatwoot
from tests.answering import Answering
from tests.services.contacts.bench import Bench, host
from tests.services.contacts.test_handlers import keep, webhook
from tests.services.control.verbs import answer


async def _told(bench: Bench, **columns: Any) -> uuid.UUID:
    """A store whose Gold customer c1 is contact 7, and Chatwoot has been told."""
    store = await bench.store(**columns)
    await bench.customer(store)
    await bench.contact(store, customer_id="c1")
    await bench.change(store)
    await bench.sender.shift()
    return store


async def _by_hand(bench: Bench, store: uuid.UUID, second: int, **attributes: Any) -> None:
    """An agent sets attributes, None removes one; the webhook says so, and the customer's quiet time is over."""
    held = bench.api.attributes(host(store), 7)
    held.update(attributes)
    for name in [one for one, value in attributes.items() if value is None]:
        del held[name]
    await keep(bench.pool, [webhook(store, 7, second=second, identifier="c1", custom_attributes=dict(held))])
    await bench.ripen(store)


async def test_an_attribute_changed_by_hand_is_set_back_and_counted(bench: Bench) -> None:
    store = await _told(bench)
    await _by_hand(bench, store, 1, support_priority="urgent", customer_tier=None, note="calls on Mondays")
    await bench.sender.shift()
    held = bench.api.attributes(host(store), 7)
    assert (held["support_priority"], held["customer_tier"], held["note"]) == ("high", "Gold", "calls on Mondays")
    assert (bench.made(store)[1][1], bench.count(store, "repaired")) == (
        {"custom_attributes": {"support_priority": "high", "customer_tier": "Gold"}},
        1,
    )


async def test_an_attribute_left_to_agents_stays_as_they_set_it_until_they_set_it_back(
    bench: Bench, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    store = await _told(bench, agents_may_change=["support_priority"])
    await _by_hand(bench, store, 1, support_priority="urgent")
    await bench.change(store, customer_tier="Silver")
    await bench.sender.shift()
    held = bench.api.attributes(host(store), 7)
    assert (held["support_priority"], held["customer_tier"], bench.count(store, "repaired")) == ("urgent", "Silver", 0)

    slug = f"shop-{store.hex[:12]}"
    (kept,) = await answer("push", "drift", slug)
    assert (kept["chatwoot_contact_id"], kept["attribute"], kept["sent"], kept["held"]) == (
        7, "support_priority", "high", "urgent",
    )  # fmt: skip
    explained = await answer("explain", "customer", slug, "c1")
    states = {one["attribute"]: one["state"] for one in explained["attributes"]}
    assert states["support_priority"] == "an agent's (agents_may_change)"

    await _by_hand(bench, store, 2, support_priority="high")
    await bench.change(store, customer_tier="Platinum")
    await bench.sender.shift()
    assert bench.api.attributes(host(store), 7)["support_priority"] == "urgent"  # a Platinum's, from us
    assert await answer("push", "drift", slug) == []


async def test_an_attribute_left_to_agents_that_they_removed_stays_away(bench: Bench) -> None:
    store = await _told(bench, agents_may_change=["support_priority"])
    await _by_hand(bench, store, 1, support_priority=None)
    await bench.change(store, customer_tier="Silver")
    await bench.sender.shift()
    assert "support_priority" not in bench.api.attributes(host(store), 7)


async def test_what_was_sent_by_a_process_that_died_is_not_taken_for_an_agents(bench: Bench) -> None:
    """Chatwoot has it and its webhook came; the process that sent it wrote nothing down."""
    store = await _told(bench, agents_may_change=["support_priority"])
    await bench.change(store, customer_tier="Silver")
    await _by_hand(bench, store, 1, support_priority="medium", customer_tier="Silver")
    await bench.sender.shift()
    await bench.change(store, customer_tier="Bronze")
    await bench.sender.shift()
    assert bench.api.attributes(host(store), 7)["support_priority"] == "low"


async def test_who_was_made_by_somebody_else_meanwhile_is_found_and_not_made_twice(bench: Bench) -> None:
    store = await bench.store(create_contacts=True)
    await bench.customer(store, email="jan@x.example")
    reply = bench.api.answer

    async def and_somebody_makes_them(request: httpx.Request) -> httpx.Response:
        answered = await reply(request)
        if request.url.path.endswith("/filter") and not bench.api.contacts(host(store)):
            bench.api.add(host(store), 9, email="jan@x.example", identifier="c1")
        return answered

    process = bench.process
    process.chatwoot = Chatwoot(process.settings, bench.clock, CollectorRegistry(), Answering(and_somebody_makes_them))
    await bench.change(store)
    await bench.sender.shift()
    assert [path for path, _ in bench.made(store)] == ["/filter", "", "/filter", "/9"]
    assert list(bench.api.contacts(host(store))) == [9]


async def test_what_goes_wrong_with_a_stores_chatwoot_stands_in_its_row_until_it_works_again(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store)
    await bench.contact(store, customer_id="c1")

    async def row() -> tuple[str, str | None, bool]:
        async with scoped(bench.pool, {store}) as conn:
            found = await conn.fetchrow("select sync_status, sync_error, last_sync_at from public.chatwoot_accounts")
        assert found is not None
        return found["sync_status"], found["sync_error"], found["last_sync_at"] is not None

    bench.api.fault = httpx.Response(401, json={"error": "Invalid Access Token"})
    await bench.change(store)
    await bench.sender.shift()
    assert await row() == ("error", "Chatwoot lets this store's token not in (401)", False)
    bench.api.fault = None
    await bench.ripen(store)
    await bench.sender.shift()
    assert await row() == ("active", None, True)
