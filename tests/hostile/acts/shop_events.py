"""What a shop, or whoever has its event secret, can post."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import orjson

from local.demo.shop import shop_event
from tests.hostile.acts.named import named
from tests.hostile.tenant import Tenant
from tests.hostile.values import VALUES, paths, strange, text, with_value
from tests.services.ingress.wire import request


def _order(tenant: Tenant, **more: Any) -> dict[str, Any]:
    name = f"{tenant.chance.getrandbits(64):x}"
    data = {"customer_id": f"c{name[:3]}", "order_id": name, "amount_minor": 100, "currency": "EUR"} | more
    return shop_event("order.placed", datetime.now(UTC), **data)


def _customer(tenant: Tenant, **more: Any) -> dict[str, Any]:
    data = {"customer_id": f"c{tenant.chance.getrandbits(12):x}", "email": "a@shop.example", "name": "A"} | more
    return shop_event("customer.registered", datetime.now(UTC), **data)


async def far_moments(tenant: Tenant) -> None:
    """Field case 01: the usual "never" of merchandise systems, and its likes."""
    for at in (
        "9999-12-31T00:00:00Z", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00",
        "1990-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", 253402300799, 10**20, "never", "",
    ):  # fmt: skip
        await tenant.shop(text(_customer(tenant, registered_at=at)))
        await tenant.shop(text(_order(tenant) | {"time": at}))
        await tenant.shop(text(_customer(tenant, born_at=at) | {"time": at}))


async def strange_shop_events(tenant: Tenant) -> None:
    """Events with strange values anywhere in them."""
    for _ in range(25):
        whole = tenant.chance.choice((_order, _customer))(tenant)
        await tenant.shop(strange(whole, tenant.chance))


async def every_field_strange(tenant: Tenant) -> None:
    """Each field of one event, each value that nobody expects."""
    whole = _order(tenant)
    events = [text(with_value(whole, path, value)) for path in paths(whole) for value in VALUES]
    for event in tenant.chance.sample(events, 60):
        await tenant.shop(event)


async def deep_batches(tenant: Tenant) -> None:
    """Batches nested as deep as a parser goes, and deeper."""
    for depth in (100, 254, 255, 256, 500, 1000, 1024, 5000, 100_000):
        deep = b"[" * depth + b"1" + b"]" * depth
        await tenant.shop(b"[" + deep + b"]", batch=True)
        event = orjson.dumps(_order(tenant, extra="@")).replace(b'"@"', deep)
        await tenant.shop(b"[" + event + b"]", batch=True)
        await tenant.shop(event)


async def mixed_batches(tenant: Tenant) -> None:
    """Field case 10: half an emoji, and other rotten ones, among good events."""
    for odd in VALUES:
        batch = [_order(tenant), _customer(tenant, name=odd), odd, _order(tenant)]
        await tenant.shop(text(batch), batch=True)


async def full_batches(tenant: Tenant) -> None:
    """As many events as a batch may hold, of one order, and of as many people."""
    same, others = [_order(tenant)] * 1000, [_customer(tenant) for _ in range(1000)]
    for batch in (same, others, others * 2):
        await tenant.shop(orjson.dumps(batch), batch=True)


async def events_that_grow(tenant: Tenant) -> None:
    """What is longer where it is written again: numbers, escapes; and what is as long as the door takes."""
    for filler in (b"1e22,", b"1e-7,", b'"\\u003c",', '"é",'.encode(), b"0.1,"):
        event = orjson.dumps(_order(tenant, extra="@"))
        grown = event.replace(b'"@"', b"[" + filler * (4_000_000 // len(filler)) + b"1]")
        await tenant.shop(grown)
        await tenant.shop(b"[" + grown + b"]", batch=True)


async def events_that_are_none(tenant: Tenant) -> None:
    """Rightly signed, as far as a signature of such bytes can be."""
    for body in (
        b"",
        b"null",
        b"[]",
        b"{}",
        b"[[]]",
        b"[null]",
        b"\xff\xfe",
        b"\x80abc",
        b'"x"',
        b"1" * 5000,
        b"{" * 10_000,
        b"\0",
    ):
        await tenant.shop(body)
        await tenant.shop(body, batch=True)


async def odd_signatures(tenant: Tenant) -> None:
    """A right body with headers that are not, and one right signature among a thousand."""
    body = orjson.dumps(_order(tenant))
    right = tenant.shop_signed(body)
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        for value in (
            "",
            "x" * 7000,
            "9" * 400,
            "-1",
            "nan",
            "1e9",
            "v1,",
            "v1,é",
            "v1,%%%",
            "é",
            "v2,AAAA",
            ",,,",
            "v1 v1",
        ):
            await tenant.ask(request(f"/events/{tenant.store.slug}", right | {name: value}, body))
    crowd = " ".join(["v1,AAAA"] * 700 + [right["webhook-signature"]])
    await tenant.ask(request(f"/events/{tenant.store.slug}", right | {"webhook-signature": crowd}, body))


async def the_same_message_again(tenant: Tenant) -> None:
    """One signed message, repeated at once and later."""
    body = orjson.dumps(_order(tenant))
    raw = request(f"/events/{tenant.store.slug}", tenant.shop_signed(body), body)
    await asyncio.gather(*(tenant.ask(raw) for _ in range(50)))


async def odd_customers(tenant: Tenant) -> None:
    """Ids that break keys, patterns and terminals."""
    for name in (
        "a:b:c",
        "\n",
        "\r\nx: y",
        " ",
        "x" * 255,
        "x" * 256,
        "é" * 255,
        "\u202e",
        "\x1b[2J",
        "customer:",
        "%",
        "😀" * 100,
        "'",
    ):
        await tenant.shop(orjson.dumps(_order(tenant, customer_id=name, order_id=name)))
        await tenant.shop(orjson.dumps(_customer(tenant, customer_id=name, email=name, phone=name, name=name)))


ACTS = named(
    far_moments, strange_shop_events, every_field_strange, deep_batches, mixed_batches, full_batches, events_that_grow,
    events_that_are_none, odd_signatures, the_same_message_again, odd_customers,
)  # fmt: skip
