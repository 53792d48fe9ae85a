"""Sessions as people really have them: two tabs, a clock that is set back, midnight and the month's end in between."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from db.pool import Pool
from services.customers.visits.visit import ShopVisit
from tests.services.attached import attach
from tests.services.customers.visits.test_handlers import cart, event, keep, post, visit

_NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)  # the moment that second 0 of an event stands for
_TO_MONTHS_END = -int(timedelta(hours=12).total_seconds())


async def _kept(pool: Pool, admin_pool: Pool, *posts: list[dict[str, Any]]) -> dict[str, Any]:
    store = await attach(admin_pool)
    for one in posts:
        await keep(pool, [post(store, *one)])
    return await visit(pool, store)


async def test_two_tabs_are_one_session_on_the_page_that_was_looked_at_last(pool: Pool, admin_pool: Pool) -> None:
    """Each tab sends when it likes: the one that closed last had said the older things."""
    first = [
        event(0, page_url="https://shop.example/"),
        event(50, page_url="https://shop.example/beds"),
        cart(55, 100, 1),
    ]
    second = [event(20, page_url="https://shop.example/chairs"), cart(60, 200, 2)]
    seen = await _kept(pool, admin_pool, first, second)
    assert (seen["page_url"], seen["cart_minor"]) == ("https://shop.example/beds", 200)
    assert (seen["first_at"], seen["last_at"]) == (_NOON, _NOON + timedelta(seconds=60))
    assert seen == await _kept(pool, admin_pool, second, first)


async def test_a_clock_that_is_set_back_makes_no_session_shorter_than_nothing(pool: Pool, admin_pool: Pool) -> None:
    """What came later by the server's order is older by the visitor's clock, which is the one that orders."""
    before = [event(3_600, page_url="https://shop.example/checkout"), cart(3_600, 900, 3)]
    after = [event(10, page_url="https://shop.example/"), cart(10, 100, 1)]
    seen = await _kept(pool, admin_pool, before, after)
    assert seen["last_at"] - seen["first_at"] == timedelta(seconds=3_590)
    assert (seen["page_url"], seen["cart_items"]) == ("https://shop.example/checkout", 3)


async def test_a_session_over_midnight_and_the_months_end_is_one(pool: Pool, admin_pool: Pool) -> None:
    evening = [event(_TO_MONTHS_END - 600, page_url="https://shop.example/")]
    morning = [event(_TO_MONTHS_END + 900, page_url="https://shop.example/cart")]
    seen = await _kept(pool, admin_pool, evening, morning)
    assert (seen["first_at"].month, seen["last_at"].month) == (10, 11)
    assert seen["last_at"] - seen["first_at"] == timedelta(minutes=25)


async def test_a_visit_begins_where_the_shop_first_vouched(pool: Pool, admin_pool: Pool) -> None:
    guest = [event(0, customer=None, page_url="https://shop.example/")]
    known = [event(30, page_url="https://shop.example/account"), event(40, customer=None)]
    seen = await _kept(pool, admin_pool, guest, known)
    assert (seen["first_at"], seen["last_at"]) == (_NOON + timedelta(seconds=30),) * 2


async def test_any_number_of_tabs_in_any_order_gives_the_same(pool: Pool, admin_pool: Pool) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance, outcomes = random.Random(seed), []
    tabs = [
        [event(60 * tab + second, page_url=f"https://shop.example/{tab}/{second}") for second in (0, 70, 140)]
        for tab in range(4)
    ]
    for _ in range(4):
        chance.shuffle(tabs)
        outcomes.append(await _kept(pool, admin_pool, *tabs, tabs[0]))
    assert outcomes[1:] == outcomes[:-1]
    assert outcomes[0]["page_url"] == "https://shop.example/3/140"
    assert len(outcomes[0]["viewed"]) == 12


async def test_pages_are_counted_once_however_often_they_come(pool: Pool, admin_pool: Pool) -> None:
    views = [event(second, page_url=f"https://shop.example/{second}") for second in range(5)]
    loaded = event(9, "widget_loaded", page_url="https://shop.example/4")
    seen = await _kept(pool, admin_pool, [*views, views[0]], [*views, loaded], views[:2])
    assert len(seen["viewed"]) == 5


def test_of_a_visit_without_end_the_first_pages_are_counted() -> None:
    begin = ShopVisit(UUID(int=1), "c1", "s1", _NOON, _NOON)
    parts = [replace(begin, viewed=frozenset(range(at, at + 400))) for at in (0, 400, 800, 1_200)]
    one_way, other_way = begin, begin
    for part in parts:
        one_way = one_way.then(part)
    for part in reversed(parts):
        other_way = other_way.then(part)
    assert one_way == other_way
    assert (one_way.pages, max(one_way.viewed)) == (1_000, 999)
