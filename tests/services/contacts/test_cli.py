"""A store in shadow: what it would send can be seen, page by page; once it is live, everybody is sent."""

import uuid
from typing import Any

import pytest

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
