"""A store in shadow: what it would send can be seen, page by page; once it is live, everybody is sent."""

import uuid
from typing import Any

import pytest

from db.pool import scoped
from schemas.stores import StoreOptions
from services.control.stores import attach
from services.kernel import Refusal
from tests.services.contacts.bench import Bench, host
from tests.services.control.verbs import answer, call

_PEOPLE = 5


@pytest.fixture
async def shadow(bench: Bench, database_url: str, monkeypatch: pytest.MonkeyPatch) -> uuid.UUID:
    """A store in shadow whose sender has looked at everybody."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    store = await bench.store(push="shadow")
    for number in range(1, _PEOPLE + 1):
        await bench.customer(store, f"c{number}")
        held = {"customer_tier": "Silver", "by_others": 1}
        await bench.contact(store, number, customer_id=f"c{number}", cached_attributes=held)
        await bench.change(store, f"c{number}")
    await bench.sender.shift()
    return store


def slug(store: uuid.UUID) -> str:
    return f"shop-{store.hex[:12]}"


async def test_push_diff_tells_who_would_be_told_what_page_by_page_and_who_asked(
    bench: Bench, shadow: uuid.UUID
) -> None:
    lines: list[dict[str, Any]] = []
    after, pages = "", 0
    while after is not None:
        page = await answer("push", "diff", slug(shadow), "--max", "2", *(["--after", after] if after else []))
        lines, after, pages = [*lines, *page["lines"]], page["after"], pages + 1
    tiers = [
        (one["contact"], one["chatwoot_has"], one["would_be"]) for one in lines if one["attribute"] == "customer_tier"
    ]
    assert tiers == [(number, "Silver", "Gold") for number in range(1, _PEOPLE + 1)]
    assert (pages, {one["attribute"] for one in lines} & {"by_others"}, bench.made(shadow)) == (3, set(), [])
    async with bench.admin.acquire() as conn:
        asked = await conn.fetchval("select count(*) from wootstream.audit_log where organization_id = $1", shadow)
    assert asked == pages


async def test_push_diff_at_a_terminal_shows_nothing_that_steers_it(bench: Bench, shadow: uuid.UUID) -> None:
    async with bench.admin.acquire() as conn:
        await conn.execute(
            "update public.chatwoot_contacts set customer_id = $2, cached_attributes = $3"
            " where organization_id = $1 and chatwoot_contact_id = 1",
            *(shadow, "\x1b[2Jc1\u202e", {"customer_tier": "\x9b31m"}),
        )
    printed = (await call("push", "diff", slug(shadow))).stdout
    assert r"\x1b[2Jc1\u202e" in printed
    assert not any(one in printed for one in "\x1b\x9b\u202e")


async def test_going_live_after_shadow_sends_about_everybody_though_nobody_changed(
    bench: Bench, shadow: uuid.UUID
) -> None:
    assert await bench.mailbox(shadow) == []
    await attach.add(bench.process.settings, StoreOptions(slug=slug(shadow), push="live"))
    await bench.ripen(shadow)
    await bench.sender.shift()
    tiers = {bench.api.attributes(host(shadow), number)["customer_tier"] for number in range(1, _PEOPLE + 1)}
    assert (tiers, bench.count(shadow, "sent"), await bench.mailbox(shadow)) == ({"Gold"}, _PEOPLE, [])
    await attach.add(bench.process.settings, StoreOptions(slug=slug(shadow), locale="de"))
    assert await bench.mailbox(shadow) == []
    with pytest.raises(Refusal, match="is live, not in shadow"):
        await call("push", "diff", slug(shadow))


@pytest.mark.parametrize("place", ["nl", "/", "nl/x", "nl/99999999999", "nl/4294967296"])
async def test_a_place_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(Refusal, match="is no place"):
        await call("push", "diff", "--after", place)


async def test_explain_customer_shows_the_way_from_the_shops_word_to_chatwoots_contact(
    bench: Bench, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    store = await bench.store(allowed_attributes=["customer_tier", "order_count"])
    await bench.customer(store, "c1", email="jan@x.example", order_count=3)
    await bench.contact(store, 7, customer_id="c1", cached_attributes={"order_count": 2})
    async with scoped(bench.pool, {store}) as conn:
        await conn.execute(
            "insert into wootstream.shop_facts (organization_id, source, event_id, kind, happened_at, customer_id,"
            " order_id, amount_minor, currency)"
            " values ($1, 's', 'e', 'order.paid', '2026-11-01', 'c1', 'o1', 4500, 'EUR')",
            store,
        )
    await bench.change(store, "c1")
    before = await answer("explain", "customer", slug(store), "JAN@x.example")
    states = {one["attribute"]: one["state"] for one in before["attributes"]}
    assert (states["customer_tier"], states["order_count"], states["total_spent"]) == (
        "differs",
        "differs",
        "may not leave (allowed_attributes)",
    )
    assert [(one["event"], one["order"], one["amount"]) for one in before["facts"]] == [("order.paid", "o1", "€45.00")]
    assert "the store is live: what differs is sent" in before["stands"]
    assert any(one.startswith("waits since") for one in before["stands"])

    await bench.sender.shift()
    after = await answer("explain", "customer", slug(store), "c1")
    assert {
        one["state"] for one in after["attributes"] if one["attribute"] in states and "leave" not in one["state"]
    } == {"acknowledged"}
    assert "waits for nothing: the sender has looked at everything that was said" in after["stands"]
    assert any(one.startswith("Chatwoot acknowledged last at") for one in after["stands"])
    assert "is contact 7 in Chatwoot's account 3, known by its identifier" in after["stands"]
    assert "customer_tier" in (await call("explain", "customer", slug(store), "c1")).stdout

    with pytest.raises(Refusal, match="said nothing of a customer nobody"):
        await call("explain", "customer", slug(store), "nobody")
    async with bench.admin.acquire() as conn:
        asked = await conn.fetchval(
            "select count(*) from wootstream.audit_log where organization_id = $1 and action = 'explain customer'",
            store,
        )
    assert asked == 3


async def test_explain_customer_says_which_refunds_are_not_taken_from_what_was_spent(
    bench: Bench, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    store = await bench.store()
    await bench.customer(store, "c1")
    async with scoped(bench.pool, {store}) as conn:
        await conn.execute(
            "insert into wootstream.orders (organization_id, order_id, customer_id, currency)"
            " values ($1, 'o', 'c1', 'EUR')",
            store,
        )
        for returned, currency in ((1_000, "EUR"), (10_800, "USD"), (500, "USD"), (0, "GBP"), (None, None)):
            await conn.execute(
                "insert into wootstream.shop_facts (organization_id, source, event_id, kind, happened_at, customer_id,"
                " order_id, amount_minor, currency)"
                " values ($1, 's', gen_random_uuid()::text, 'order.refunded', now(), 'c1', 'o', $2, $3)",
                *(store, returned, currency),
            )

    stands = (await answer("explain", "customer", slug(store), "c1"))["stands"]

    assert [one for one in stands if "came back" in one] == [
        "order o: what came back in USD is not taken from what was spent, for its price is in EUR"
    ]


async def test_explain_customer_says_why_nobody_is_told(
    bench: Bench, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    store = await bench.store(push="shadow")
    await bench.customer(store, "c1", phone="+31201234567")
    stands = (await answer("explain", "customer", slug(store), "+31201234567"))["stands"]
    assert stands[0].startswith("nothing is sent: the store is in shadow")
    assert stands[1].endswith("one is not made: create_contacts is off")
    assert "Chatwoot is asked for one only once the store is live" in stands[1]  # it may well have one
    await call("push", "mode", slug(store), "live")
    stands = (await answer("explain", "customer", slug(store), "c1"))["stands"]
    assert stands[1].startswith("no contact of Chatwoot's bears this id")


async def test_push_mode_goes_live_with_everybody_and_push_now_ends_somebodys_wait(
    bench: Bench, shadow: uuid.UUID
) -> None:
    assert "all its customers are looked at" in (await call("push", "mode", slug(shadow), "live")).stdout
    assert (await call("push", "mode", slug(shadow), "live")).stdout == f"{slug(shadow)} is live already\n"
    assert len(await bench.mailbox(shadow)) == _PEOPLE
    async with scoped(bench.pool, {shadow}) as conn:
        await conn.execute("update wootstream.due set attempts = 5, not_before = now() + interval '1 hour'")
    assert (await call("push", "now", slug(shadow), "c3")).stdout.startswith("c3: the sender looks")
    await bench.sender.shift()
    assert bench.api.attributes(host(shadow), 3)["customer_tier"] == "Gold"
    assert {row["person"] for row in await bench.mailbox(shadow)} == {f"customer:c{n}" for n in (1, 2, 4, 5)}
    await call("push", "mode", slug(shadow), "off")
    with pytest.raises(Refusal, match=f"`wootstream push mode {slug(shadow)} shadow`"):
        await call("push", "diff", slug(shadow))
