"""The shops' door: what is signed and sound is kept; a batch's faults are named one by one."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from db.pool import Pool
from local.demo.shop import Shop as Backend
from local.demo.shop import shop_event
from schemas.topics import SHOP_EVENTS
from services.customers import reading
from services.kernel import Settings
from tests.services.ingress.bench import EVENT_SECRET, Shop, held, open_shop, serving

pytestmark = pytest.mark.usefixtures("topics")
_NOW = datetime.now(UTC)
_PAID = shop_event("order.paid", _NOW, customer_id="c1", order_id="o1")
_PLACED = shop_event("order.placed", _NOW, customer_id="c2", order_id="o2", amount_minor=5, currency="EUR")


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
