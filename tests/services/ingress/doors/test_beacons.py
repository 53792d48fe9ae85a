"""The storefronts' door: a page speaks for its own session, and for a customer only if the shop vouched."""

import base64
import json
import string
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from db.pool import Pool
from local.demo.visitors import PageVisitor, event_id
from schemas.topics import WIDGET_EVENTS
from services.customers.visits import events as visits
from services.kernel import Clock, Settings
from services.widget import events as widget
from tests.services.ingress.bench import ORIGIN, held, open_shop, serving
from tests.services.ingress.page import Page

pytestmark = pytest.mark.usefixtures("topics")
_BASE64 = string.ascii_letters + string.digits + "-_"


class OneMinute(Clock):
    """No minute ends while a test counts."""

    def monotonic(self) -> float:
        return 1_000.0


async def test_a_page_gets_its_widget_and_reports_under_its_own_session(page: Page) -> None:
    config = await page.visitor.arrive()
    event = page.visitor.event("page_viewed", page_url="https://u:p@shop.example/p?email=a@b#x", session_id="forged")
    answer = await page.visitor.report(event | {"customer_id": "somebody", "user_id": event["id"]})

    assert config.json()["widget"]["websiteToken"] == page.shop.website_token
    assert config.headers["access-control-allow-origin"] == answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.status_code == 204
    (kept,) = await page.events()
    assert (kept["id"], kept["session_id"]) == (event["id"], page.visitor.config["session"])
    assert (kept["page_url"], kept["ip_address"]) == ("https://shop.example/p", "127.0.0.0")
    assert (kept["customer_id"], kept["user_id"]) == (None, None)


async def test_a_cart_is_a_customers_only_where_the_shop_vouched_and_the_visitor_agreed(page: Page) -> None:
    vouched = page.backend.vouch("c1", expires=datetime.now(UTC) + timedelta(hours=1))
    cart = {"event_data": {"value_minor": 5, "currency": "EUR", "items": 1}}
    await page.visitor.arrive(vouched)
    for consent in (("analytics", "personalisation"), ("analytics",)):
        event = page.visitor.event("cart_updated", **cart)
        assert (await page.visitor.report(event, consent=consent)).status_code == 204

    assert [event["customer_id"] for event in await page.events()] == ["c1", None]
    records = await held(page.settings, WIDGET_EVENTS, page.shop.id)
    (visit,) = [visit for record in records if (seen := visits.read(record)) for visit in seen.visits]
    assert (visit.customer_id, visit.cart_minor) == ("c1", 5)


async def test_half_a_character_costs_itself_and_not_the_events_beside_it(page: Page) -> None:
    await page.visitor.arrive()
    events = [page.visitor.event("message_sent", event_data={"title": "cut X"}), page.visitor.event("page_viewed")]
    post = {"token": page.visitor.config["token"], "consent": ["analytics"], "events": events}
    body = json.dumps(post).replace("cut X", r"cut \ud83d \ud83d\ude00 \\ud83d")
    headers = {"origin": ORIGIN, "content-type": "text/plain"}

    answer = await page.client.post("/beacons", content=body, headers=headers)

    assert answer.status_code == 204
    event, _ = await page.events()
    assert event["event_data"]["title"] == "cut \ufffd \N{GRINNING FACE} \\ud83d"


async def test_each_event_is_judged_on_its_own(page: Page) -> None:
    await page.visitor.arrive()
    now = datetime.now(UTC)
    good = page.visitor.event("widget_opened")
    old = good | {"id": event_id(now - timedelta(hours=49))}
    ahead = good | {"id": event_id(now + timedelta(minutes=11))}
    other = good | {"id": "0190b5b8-0000-4000-8000-000000000000"}

    answer = await page.visitor.report(old, good, ahead, other, {"event_type": "x"}, 7)  # type: ignore[arg-type]

    assert answer.status_code == 200
    assert answer.json()["taken"] == 1
    assert [one["index"] for one in answer.json()["refused"]] == [0, 2, 3, 4, 5]
    assert [event["id"] for event in await page.events()] == [good["id"]]


async def test_what_a_page_may_not_do_is_refused_and_reaches_no_topic(page: Page) -> None:
    await page.visitor.arrive()
    event, token = page.visitor.event("widget_opened"), page.visitor.config["token"]
    stranger = page.of("https://evil.example")
    stranger.config = page.visitor.config
    forger = page.of(ORIGIN)
    forger.config = {"token": token[:-1] + ("A" if token[-1] != "A" else "B")}

    statuses = {
        "foreign_origin": (await stranger.report(event)).status_code,
        "bad_token": (await forger.report(event)).status_code,
        "no_consent": (await page.visitor.report(event, consent=())).status_code,
        "too_large": (await page.visitor.report(*[event] * 101)).status_code,
        "none_taken": (await page.visitor.report({})).status_code,
        "no_such_path": (await page.of(ORIGIN, "nobody").arrive()).status_code,
    }

    assert statuses == {
        "foreign_origin": 403, "bad_token": 401, "no_consent": 403, "too_large": 413, "none_taken": 400,
        "no_such_path": 404,
    }  # fmt: skip
    assert (await stranger.arrive()).status_code == 403
    assert all([await page.refused(reason) for reason in statuses])
    assert await page.events() == []


async def test_only_the_stores_own_pages_may_ask_across_origins(page: Page) -> None:
    await page.visitor.arrive()  # as a page does; the doors know its store from then on
    asked = {"access-control-request-method": "POST"}
    ours = await page.client.options("/beacons", headers=asked | {"origin": ORIGIN})
    others = await page.client.options("/beacons", headers=asked | {"origin": "https://evil.example"})

    assert (ours.status_code, ours.headers["access-control-allow-origin"]) == (204, ORIGIN)
    assert others.status_code == 403
    assert "access-control-allow-origin" not in others.headers


async def test_a_token_has_one_spelling(page: Page) -> None:
    await page.visitor.arrive()
    token = page.visitor.config["token"]
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    spare = [one for one in _BASE64 if base64.urlsafe_b64decode(token[:-1] + one + "=" * (-len(token) % 4)) == raw]
    spelt = [token[:-1] + one for one in spare] + [
        token + "=",
        token + "==",
        f" {token}",
        token.replace("-", "+").replace("_", "/"),
    ]

    for other in set(spelt) - {token}:
        page.visitor.config["token"] = other
        assert (await page.visitor.report(page.visitor.event("page_viewed"))).status_code == 401, other


async def test_only_the_network_of_a_forwarded_address_is_kept_and_nothing_that_is_none(
    settings: Settings, admin_pool: Pool
) -> None:
    behind = settings.model_copy(update={"proxy_hops": 1})
    shops = [await open_shop(admin_pool, settings), await open_shop(admin_pool, settings, keep_full_ip=True)]
    kept = []
    async with serving(behind) as (_, client):
        for shop in shops:
            page = Page(settings, shop, client)
            await page.visitor.arrive()
            for forwarded in ("203.0.113.7:4711", "[2001:db8:1:2::3]:443", "unknown"):
                client.headers["x-forwarded-for"] = forwarded
                assert (await page.visitor.report(page.visitor.event("page_viewed"))).status_code == 204
            kept.append({event["ip_address"] for event in await page.events()})

    assert kept == [{"203.0.113.0", "2001:db8:1::", None}, {"203.0.113.7", "2001:db8:1:2::3", None}]


async def test_a_page_that_floods_is_asked_to_wait(settings: Settings, admin_pool: Pool) -> None:
    shop = await open_shop(admin_pool, settings)
    tight = settings.model_copy(update={"beacons_per_minute": 3, "configs_per_minute_network": 3})

    async with serving(tight, clock=OneMinute()) as (_, client):
        answers = []
        visitors = [PageVisitor(client, shop.website_token, ORIGIN, Clock()) for _ in range(2)]
        for visitor in visitors:
            await visitor.arrive()
            answers += [await visitor.report(*[visitor.event("page_viewed") for _ in range(3)]) for _ in range(2)]
        again = await visitors[0].arrive(session=visitors[0].config["session"])
        answers.append(await visitors[0].report(visitors[0].event("page_viewed")))
        pages = [again, await visitors[0].arrive()]

    assert [one.status_code for one in answers] == [204, 429, 204, 429, 429]
    assert [one.status_code for one in pages] == [200, 429]
    for refused in (answers[1], pages[1]):
        assert refused.headers["retry-after"] == "60"
        assert refused.headers["access-control-allow-origin"] == ORIGIN


async def test_what_a_visitor_says_of_consent_needs_none_and_is_kept_beside_the_events(page: Page) -> None:
    await page.visitor.arrive()
    withdrawn = page.visitor.event("consent_withdrawn", event_data={"purpose": "analytics", "text_version": "v1"})
    nothing = page.visitor.event("consent_given", event_data={"purpose": "everything"})

    assert (await page.visitor.report(withdrawn, consent=())).status_code == 204
    assert (await page.visitor.report(nothing)).status_code == 400

    (record,) = await held(page.settings, WIDGET_EVENTS, page.shop.id)
    read = widget.read(record)
    assert read is not None
    (word,) = read.words
    assert (record.event, word.given, word.purpose, word.text_version) == ("consent", False, "analytics", "v1")
    assert (word.subject.name, read.rows) == (page.visitor.config["session"], ())
    assert visits.read(record) is None


@pytest.mark.parametrize(
    ("change", "kind", "status", "cure"),
    [
        ({}, "application/x-www-form-urlencoded", 415, "text/plain"),
        ({"events": []}, "text/plain", 400, "events is a list of 1 to 100"),
        ({"events": [{}] * 101}, "text/plain", 413, "events is a list of 1 to 100"),
        ({"consent": "analytics"}, "text/plain", 400, "consent, a list of purposes"),
        ({"events": None}, "text/plain", 400, "events, a list"),
    ],
)
async def test_a_body_that_is_no_beacon_is_refused_with_what_one_is(
    page: Page, change: dict[str, Any], kind: str, status: int, cure: str
) -> None:
    await page.visitor.arrive()
    body = {
        "token": page.visitor.config["token"],
        "consent": ["analytics"],
        "events": [page.visitor.event("page_viewed")],
    }
    answer = await page.client.post(
        "/beacons", content=orjson.dumps(body | change), headers={"origin": ORIGIN, "content-type": kind}
    )
    assert (answer.status_code, cure in answer.json()["error"]) == (status, True), answer.text


async def test_a_word_of_consent_is_kept_though_what_comes_with_it_lacks_consent(page: Page) -> None:
    """As a page sends it that gathers events: what it had seen, and then that its visitor withdraws."""
    await page.visitor.arrive()
    withdrawn = page.visitor.event("consent_withdrawn", event_data={"purpose": "analytics"})

    answer = await page.visitor.report(page.visitor.event("page_viewed"), withdrawn, consent=())

    (record,) = await held(page.settings, WIDGET_EVENTS, page.shop.id)
    read = widget.read(record)
    assert read is not None
    assert (answer.status_code, answer.json()["taken"]) == (200, 1)
    assert answer.json()["refused"] == [{"index": 0, "reason": "the visitor has not consented to analytics"}]
    assert ([word.given for word in read.words], read.rows) == ([False], ())


async def test_a_store_that_needs_no_consent_takes_what_happened_and_nothing_of_whom(
    settings: Settings, admin_pool: Pool
) -> None:
    shop = await open_shop(admin_pool, settings, consent_needed=[])
    async with serving(settings) as (_, client):
        page = Page(settings, shop, client)
        await page.visitor.arrive()
        event = page.visitor.event("page_viewed", page_url="https://shop.example/p", event_data={"note": "hers"})
        assert (await page.visitor.report(event, consent=())).status_code == 204
        (kept,) = await page.events()
        data = {"failed": True, "note": "hers"}
        failed = [page.visitor.event(kind, event_data=data) for kind in ("widget_loaded", "widget_opened")]
        assert (await page.visitor.report(*failed, consent=())).status_code == 204
        later = {one["id"]: one["event_data"] for one in await page.events()}
    assert (kept["id"], kept["page_url"], kept["event_data"]) == (event["id"], "https://shop.example/p", {})
    assert [later[one["id"]] for one in failed] == [{"failed": True}, {}]  # or it would count as one that came
    named = ("session_id", "customer_id", "user_id", "user_agent", "ip_address", "referrer")
    assert [kept[name] for name in named] == [None] * len(named)
    for record in await held(settings, WIDGET_EVENTS, shop.id):
        assert page.visitor.config["session"] not in str(record.key)
