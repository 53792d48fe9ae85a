"""What Shopify bids becomes one request, and is done to the person it names."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from db.pool import scoped
from db.privacy import requests
from schemas.presets.shopify_privacy import PREFIX
from services.kernel import Process, Record, Settings
from services.privacy import shop_requests, worker
from tests.services.privacy.conftest import KnownShop

_NOW = datetime.now(UTC)


def record(shop: KnownShop, topic: str, body: dict[str, Any], *, at: datetime = _NOW) -> Record:
    return Record.accepted(
        "shop.events", key=b"k", value=orjson.dumps(body), store=shop.store, event=PREFIX + topic, origin="shop",
        received_at=at,
    )  # fmt: skip


def redact(*orders: int, **customer: Any) -> dict[str, Any]:
    return {"shop_domain": "x.myshopify.com", "customer": customer, "orders_to_redact": orders}


async def hear(shop: KnownShop, process: Process, *records: Record) -> int:
    """How many of them were news."""
    events = [event for one in records if (event := shop_requests.read(one))]
    async with scoped(shop.pool, {shop.store}) as conn:
        return len(await shop_requests.keep(conn, process.secrets, events))


async def listed(shop: KnownShop) -> list[Any]:
    async with scoped(shop.pool, {shop.store}) as conn:
        return list(await requests.listed(conn, limit=99))


async def settle(shop: KnownShop, process: Process) -> None:
    for row in await worker.open_requests(process):
        if row["organization_id"] == shop.store:
            await worker.go_on(process, row)


async def test_a_repetition_is_no_second_request_and_a_later_wish_is_one(shop: KnownShop, settings: Settings) -> None:
    process, body = Process(settings), redact(1, email="anna@x.example")
    first = record(shop, "customers/redact", body)
    assert await hear(shop, process, first, record(shop, "customers/redact", body)) == 1
    assert await hear(shop, process, first) == 0  # the topic read again
    assert await hear(shop, process, record(shop, "customers/redact", body, at=_NOW + timedelta(hours=30))) == 0
    assert await hear(shop, process, record(shop, "customers/redact", body, at=_NOW + timedelta(days=3))) == 1
    assert [(row["kind"], row["source"]) for row in await listed(shop)] == [("erasure", "shop")] * 2
    await process.close()


async def test_the_customer_goes_by_number_and_by_an_address_that_is_theirs_alone(
    shop: KnownShop, settings: Settings
) -> None:
    await shop.customer("73", email="anna@x.example", phone="+31 6 1")
    await shop.customer("74", email="ben@x.example", phone="+31 6 1")
    await shop.contact(17, email="anna@x.example")
    await shop.contact(18, customer_id="74", email="ben@x.example")
    await shop.put("wootstream.orders", order_id="501", customer_id="73")
    await shop.put("wootstream.orders", order_id="502", customer_id="74")
    process = Process(settings)
    asked = redact(501, 502, id=73, email="Anna@x.example", phone="+316 1")
    await hear(shop, process, record(shop, "customers/redact", asked))
    await settle(shop, process)
    (row,) = await listed(shop)
    proof = row["steps"]
    assert (proof["customers"]["customers"], proof["contacts"]["chatwoot_contacts"]) == (1, 1)
    assert (proof["marked"]["orders to redact"], proof["marked"]["of them here"]) == (["501", "502"], 1)
    assert (await shop.find("customer:74")).phones == {"+3161"}
    assert not (await shop.find("anna@x.example")).contacts
    await process.close()


async def test_an_address_alone_is_everybody_who_bears_it(shop: KnownShop, settings: Settings) -> None:
    await shop.customer("73", email="anna@x.example")
    process = Process(settings)
    await hear(shop, process, record(shop, "customers/redact", redact(email="anna@x.example")))
    await settle(shop, process)
    assert not (await shop.find("anna@x.example")).customers
    await process.close()


async def test_a_store_that_left_is_asked_about_and_not_touched(shop: KnownShop, settings: Settings) -> None:
    await shop.customer("73", email="anna@x.example")
    process = Process(settings)
    await hear(shop, process, record(shop, "shop/redact", {"shop_id": 1, "shop_domain": "x.myshopify.com"}))
    await settle(shop, process)
    (row,) = await listed(shop)
    assert (row["kind"], row["state"], row["deadline"] - row["asked_at"]) == (
        "store erasure",
        "asked",
        timedelta(days=30),
    )
    assert (await shop.find("anna@x.example")).customers == {"73"}
    await process.close()


def test_it_reads_nothing_else_of_the_topic(shop: KnownShop) -> None:
    other = Record.accepted("shop.events", key=b"k", value=b"{", store=uuid.uuid4(), event="order.placed",
                            origin="shop", received_at=_NOW)  # fmt: skip
    assert shop_requests.read(other) is None
