"""The shops' door: what is signed and sound is kept; a batch's faults are named one by one."""

import base64
import hmac
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from db.pool import Pool
from local.demo.shop import Shop as Backend
from local.demo.shop import shop_event
from local.demo.visitors import PageVisitor
from schemas.topics import SHOP_EVENTS
from services.customers import events
from services.ingress.doors.shop_events import elements
from services.kernel import Clock, Settings
from services.kernel.secrets import load_secrets
from tests.field_cases import FOLDER
from tests.services.ingress.bench import EVENT_SECRET, ORIGIN, Shop, held, open_shop, serving

pytestmark = pytest.mark.usefixtures("topics")
FIELD_CASES = FOLDER
_NOW = datetime.now(UTC)
_PAID = shop_event("order.paid", _NOW, customer_id="c1", order_id="o1")
_PLACED = shop_event("order.placed", _NOW, customer_id="c2", order_id="o2", amount_minor=5, currency="EUR")


class HalfAnHourAhead(Clock):
    """The server's clock, which is not the machine's."""

    def now(self) -> datetime:
        return super().now() + timedelta(minutes=30)


async def post(
    client: httpx.AsyncClient,
    shop: Shop,
    body: bytes,
    *,
    at: datetime | None = None,
    name: str = "",
    kind: str = "application/json",
) -> httpx.Response:
    """These very bytes, rightly signed: now, for the suite may have begun longer ago than the door forgives."""
    name, timestamp = name or f"msg_{uuid.uuid4().hex}", str(int((at or datetime.now(UTC)).timestamp()))
    key = base64.b64decode(EVENT_SECRET.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{name}.{timestamp}.".encode() + body, "sha256")
    headers = {
        "content-type": kind,
        "webhook-id": name,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
    return await client.post(f"/events/{shop.slug}", content=body, headers=headers)


async def kept(settings: Settings, shop: Shop) -> list[dict[str, Any]]:
    records = await held(settings, SHOP_EVENTS, shop.id)
    assert all(events.read(record) for record in records)
    return [orjson.loads(record.value) for record in records]


@pytest.mark.parametrize(
    ("body", "kind", "status", "cure"),
    [
        (
            _PAID,
            "text/plain",
            415,
            "application/cloudevents+json, application/cloudevents-batch+json or application/json",
        ),
        ([_PAID], "application/cloudevents+json", 400, "application/cloudevents-batch+json"),
        (_PAID, "application/cloudevents-batch+json", 400, "application/cloudevents+json"),
        ([], "application/json", 400, "1 to 1000 events"),
        ([_PAID] * 1_001, "application/json", 413, "1 to 1000 events"),
        ("order", "application/json", 400, "a CloudEvent, an object, or an array of them"),
        (_PAID | {"type": "order.shipped"}, "application/json", 400, "its type is none of ours: customer.consent, "),
        ({"order": 1}, "application/json", 400, "it has no type of ours: customer.consent, "),
    ],
)
async def test_what_is_sent_otherwise_than_the_door_takes_it_is_refused_with_the_way_to_send_it(
    shop: Shop, client: httpx.AsyncClient, body: Any, kind: str, status: int, cure: str
) -> None:
    answer = await post(client, shop, orjson.dumps(body), kind=kind)
    assert (answer.status_code, cure in answer.text) == (status, True), answer.text


async def test_one_event_is_kept_as_it_was_sent_under_its_customers_key(
    settings: Settings, shop: Shop, client: httpx.AsyncClient
) -> None:
    answer = await Backend(client, shop.slug, EVENT_SECRET).send(_PAID)

    assert answer.status_code == 204
    (record,) = await held(settings, SHOP_EVENTS, shop.id)
    assert (record.key, record.value) == (f"{shop.id}:c1".encode(), orjson.dumps(_PAID))
    assert (record.event, record.origin) == ("order.paid", "shop")


async def test_a_batch_is_kept_but_for_what_the_reader_would_set_aside(
    settings: Settings, shop: Shop, client: httpx.AsyncClient
) -> None:
    tomorrow = shop_event("order.paid", _NOW + timedelta(days=1), customer_id="c1", order_id="o1")
    without_price = shop_event("order.placed", _NOW, customer_id="c1", order_id="o3")
    unknown = shop_event("order.dreamt", _NOW, customer_id="c1", order_id="o4")

    answer = await Backend(client, shop.slug, EVENT_SECRET).send_batch(
        [_PAID, tomorrow, without_price, _PLACED, unknown]
    )

    assert (answer.status_code, answer.json()["taken"]) == (200, 2)
    assert [one["index"] for one in answer.json()["refused"]] == [1, 2, 4]
    assert sorted(event["id"] for event in await kept(settings, shop)) == sorted([_PAID["id"], _PLACED["id"]])


async def test_what_the_stores_secret_did_not_sign_reaches_no_topic(
    settings: Settings, shop: Shop, client: httpx.AsyncClient
) -> None:
    hostile = [
        (b"content-type", b"application/json"),
        (b"webhook-id", b"\xff"),
        (b"webhook-timestamp", b"nan"),
        (b"webhook-signature", b"v1,\xff v1 ,,"),
    ]
    answers = [
        await Backend(client, shop.slug, "whsec_b3RoZXI=").send(_PAID),
        await Backend(client, "nobody", EVENT_SECRET).send(_PAID),
        await client.post(f"/events/{shop.slug}", json=_PAID),
        await client.post(f"/events/{shop.slug}", content=b"\xff", headers=hostile),
    ]

    assert {(one.status_code, one.content) for one in answers} == {(401, answers[0].content)}
    assert await kept(settings, shop) == []


async def test_what_is_rightly_signed_and_no_text_is_no_bad_signature(
    settings: Settings, shop: Shop, client: httpx.AsyncClient
) -> None:
    answers = [await post(client, shop, body) for body in (b"\xff", b"", b"{")]

    assert [one.status_code for one in answers] == [400] * 3
    assert 'reason="bad_signature"' not in (await client.get("/metrics")).text


async def test_a_batch_is_judged_event_by_event_and_each_is_kept_as_it_came(
    settings: Settings, shop: Shop, client: httpx.AsyncClient
) -> None:
    sent = (FIELD_CASES / "half_emoji_in_a_batch.json").read_bytes().replace(b"NOW", _NOW.isoformat().encode())
    good, half = elements(sent, 2)
    wide = good.replace(b"{", b'{"x": 1e400, "y": 1E22, ', 1)
    no_text, endless, not_a_number, infinite, control = (
        good.replace(b"{", b'{"x":%b,' % one, 1) for one in (b'"\xff"', b"9" * 5_000, b"NaN", b"-Infinity", b'"\x01"')
    )
    body = b" [ " + b" ,\n".join([good, half, wide, not_a_number, infinite, control, no_text, endless]) + b"]\n"

    answer = await post(client, shop, body)

    assert (answer.status_code, answer.json()["taken"]) == (200, 5)
    assert [one["index"] for one in answer.json()["refused"]] == [3, 4, 5]
    records = await held(settings, SHOP_EVENTS, shop.id)
    assert all(events.read(record) for record in records)
    mended = [
        half.replace(rb"\ud83d", rb"\ufffd"),
        no_text.replace(b"\xff", b"\xef\xbf\xbd"),
        endless.replace(b"9" * 5_000, b"9" * 4_000),
    ]
    assert sorted(record.value for record in records) == sorted([good, wide, *mended])


async def test_what_is_nested_too_deeply_is_refused_by_name(shop: Shop, client: httpx.AsyncClient) -> None:
    statuses = []
    for levels in (60, 64, 255, 1_000, 10_000):
        deep = orjson.dumps(_PAID)[:-1] + b',"x":' + b"[" * levels + b"]" * levels + b"}"
        for body in (deep, b"[%b]" % deep):
            answer = await post(client, shop, body)
            statuses.append((answer.status_code, answer.json()["error"] if answer.content else ""))

    assert statuses[:2] == [(204, "")] * 2
    assert statuses[2:] == [(400, "the body is nested too deeply")] * 8


async def test_more_values_than_anybody_sends_are_refused_before_they_are_read(
    shop: Shop, client: httpx.AsyncClient
) -> None:
    many = orjson.dumps(_PAID)[:-1] + b',"x":[' + b"[]," * 60_000 + b"0]}"
    answers = [await post(client, shop, body) for body in (many, b"[%b]" % many)]
    assert [(one.status_code, one.json()["error"]) for one in answers] == [(413, "too many values")] * 2


async def test_a_message_that_comes_again_is_answered_as_before_and_kept_once(
    settings: Settings, shop: Shop, client: httpx.AsyncClient
) -> None:
    some = orjson.dumps([_PAID, {}])
    sent = [
        (b"{", "a"),
        (orjson.dumps(_PLACED), "a"),
        (orjson.dumps(_PLACED), "a"),
        (some, "b"),
        (some, "b"),
        (some, "a"),
    ]

    answers = [await post(client, shop, body, name=name) for body, name in sent]

    assert [one.status_code for one in answers] == [400, 204, 204, 200, 200, 200]
    assert answers[3].content == answers[4].content == answers[5].content
    assert sorted(event["id"] for event in await kept(settings, shop)) == sorted([_PLACED["id"], *[_PAID["id"]] * 2])
    metrics = (await client.get("/metrics")).text
    assert 'wootstream_repeated_total{door="events"} 2.0' in metrics
    assert f'wootstream_accepted_total{{door="events",store="{shop.id}"}} 3.0' in metrics
    assert f'wootstream_store_info{{slug="{shop.slug}",store="{shop.id}"}} 1.0' in metrics


async def test_the_doors_clock_judges_a_signatures_age_and_the_setting_says_how_old(
    settings: Settings, admin_pool: Pool, shop: Shop
) -> None:
    later = settings.model_copy(update={"webhook_skew_seconds": 3600})
    async with serving(later, clock=HalfAnHourAhead()) as (_, client):
        statuses = [
            (
                await post(client, shop, orjson.dumps(_PAID), at=datetime.now(UTC) + timedelta(minutes=minutes))
            ).status_code
            for minutes in (0, 80, 100, -20, -40)
        ]

    assert statuses == [204, 204, 401, 204, 401]


async def test_each_secret_of_a_shop_has_its_own_purpose_and_the_previous_one_is_good_beside_it(
    settings: Settings, admin_pool: Pool
) -> None:
    keys, id_ = load_secrets(settings), uuid.uuid4()
    columns: dict[str, Any] = {
        name: keys.seal(text, organization=id_, column=name.removesuffix("_previous"))
        for name, text in {
            "event_secret": "whsec_bmV3ZXIgZXZlbnRz",
            "event_secret_previous": EVENT_SECRET,
            "vouching_secret": "whsec_bmV3ZXIgdm91Y2g=",
            "vouching_secret_previous": "whsec_b2xkIHZvdWNo",
        }.items()
    }
    shop = await open_shop(admin_pool, settings, organization_id=id_, **columns)
    expires = datetime.now(UTC) + timedelta(hours=1)
    signed, vouched = [], []
    async with serving(settings) as (_, client):
        for secret in ("whsec_bmV3ZXIgZXZlbnRz", EVENT_SECRET, "whsec_bmV3ZXIgdm91Y2g=", "whsec_b2xkIHZvdWNo"):
            backend = Backend(client, shop.slug, secret)
            signed.append((await backend.send(_PAID)).status_code)
            page = PageVisitor(client, shop.website_token, ORIGIN, Clock())
            vouched.append((await page.arrive(backend.vouch("c1", expires=expires))).status_code)

    assert signed == [204, 204, 401, 401]
    assert vouched == [403, 403, 200, 200]


async def test_other_bodies_and_types_are_refused(settings: Settings, shop: Shop, client: httpx.AsyncClient) -> None:
    backend = Backend(client, shop.slug, EVENT_SECRET)

    statuses = [
        (await client.post(f"/events/{shop.slug}", content=b"{}")).status_code,
        (await client.get(f"/events/{shop.slug}")).status_code,
        (await backend.send({})).status_code,
        (await backend.send_batch([])).status_code,
        (await backend.send_batch([_PAID] * 1001)).status_code,
    ]

    assert statuses == [415, 405, 400, 400, 413]
    assert await kept(settings, shop) == []
