"""The shops' door: what is signed and sound is kept; a batch's faults are named one by one."""

import base64
import hmac
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from db.pool import Pool
from local.demo.shop import Shop as Backend
from local.demo.shop import shop_event
from local.demo.visitors import Visitor
from schemas.topics import SHOP_EVENTS
from services.customers import reading
from services.kernel import Clock, Settings
from services.kernel.secrets import load_secrets
from tests.services.ingress.bench import EVENT_SECRET, ORIGIN, Shop, held, open_shop, serving

pytestmark = pytest.mark.usefixtures("topics")
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
    at: datetime = _NOW,
    name: str = "",
    kind: str = "application/json",
) -> httpx.Response:
    """These very bytes, rightly signed."""
    name, timestamp = name or f"msg_{uuid.uuid4().hex}", str(int(at.timestamp()))
    key = base64.b64decode(EVENT_SECRET.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{name}.{timestamp}.".encode() + body, "sha256")
    headers = {
        "content-type": kind,
        "webhook-id": name,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
    return await client.post(f"/events/{shop.slug}", content=body, headers=headers)


@pytest.fixture
async def shop(settings: Settings, admin_pool: Pool) -> Shop:
    return await open_shop(admin_pool, settings)


@pytest.fixture
async def client(settings: Settings, shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(settings) as (_, client):
        yield client


async def kept(settings: Settings, shop: Shop) -> list[dict[str, Any]]:
    records = await held(settings, SHOP_EVENTS, shop.id)
    assert all(reading.read(record) for record in records)
    return [orjson.loads(record.value) for record in records]


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

    assert [(one.status_code, one.json()["error"]) for one in answers] == [(400, "the body is not JSON")] * 3


async def test_the_doors_clock_judges_a_signatures_age_and_the_setting_says_how_old(
    settings: Settings, admin_pool: Pool, shop: Shop
) -> None:
    later = settings.model_copy(update={"webhook_skew_seconds": 3600})
    async with serving(later, clock=HalfAnHourAhead()) as (_, client):
        statuses = [
            (await post(client, shop, orjson.dumps(_PAID), at=_NOW + timedelta(minutes=minutes))).status_code
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
            page = Visitor(client, shop.website_token, ORIGIN, Clock())
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
