"""What a foreign writer can put into a topic beside what the doors put there."""

from datetime import UTC, datetime

import orjson

from local.demo.shop import shop_event
from schemas.topics import SHOP_EVENTS, WEBHOOKS, WIDGET_EVENTS
from tests.hostile.acts.named import named
from tests.hostile.tenant import Tenant
from tests.hostile.values import strange

_TOPICS = (WEBHOOKS, WIDGET_EVENTS, SHOP_EVENTS)
_LARGEST = 4_700_000  # what the topics take
Headers = list[tuple[str, bytes]]


def _headers(tenant: Tenant, **odd: bytes) -> Headers:
    right = {
        "event": b"order.placed",
        "store": tenant.store.organization.encode(),
        "id": b"01900000-0000-7000-8000-000000000000",
        "received-at": datetime.now(UTC).isoformat().encode(),
        "origin": b"shop",
    }
    return [*(right | {name.replace("_", "-"): value for name, value in odd.items()}).items()]


def _value(tenant: Tenant) -> bytes:
    data = {"customer_id": "c1", "order_id": f"{tenant.chance.getrandbits(64):x}", "amount_minor": 1, "currency": "EUR"}
    return orjson.dumps(shop_event("order.placed", datetime.now(UTC), **data))


async def odd_headers(tenant: Tenant) -> None:
    """Headers that are missing, doubled, far too many, too long, no text, no moment, no store."""
    right = _headers(tenant)
    odd: list[Headers] = [
        [],
        right * 2,
        right + [("x", b"")] * 5000,
        [("x" * 30_000, b"")],
        [("é", "é".encode())],
        [("", b"")],
    ]
    odd += [[one for one in right if one[0] != name] for name, _ in right]
    for value in (
        b"", b"\0", b"\xff\xfe", b"x" * 100_000, b"9999-12-31T23:59:59-14:00", b"0001-01-01T00:00:00+14:00",
        b"2026-11-28", b"10" * 40,
        b"message_created", b"conversation_updated", b"rest.message", b"00000000-0000-0000-0000-000000000000",
        b"urn:uuid:x", b"{}",
    ):  # fmt: skip
        odd += [_headers(tenant, **{name: value}) for name in ("event", "store", "id", "received_at", "origin")]
    async with tenant.producer() as producer:
        for headers in odd:
            for topic in _TOPICS:
                await producer.send(topic.name, key=b"x", value=_value(tenant), headers=headers)
        await producer.flush()


async def odd_keys(tenant: Tenant) -> None:
    """Keys that are none, too long, or another store's."""
    async with tenant.producer() as producer:
        for key in (
            None,
            b"",
            b"\0",
            b"\xff" * 1000,
            b"k" * 900_000,
            b"a:b:c:d",
            f"{tenant.store.organization}:".encode(),
        ):
            for topic in _TOPICS:
                await producer.send(topic.name, key=key, value=_value(tenant), headers=_headers(tenant))
        await producer.flush()


async def odd_records(tenant: Tenant) -> None:
    """Values that are none, no JSON, deep, strange; under every event that a group hears."""
    events = (
        b"message_created",
        b"conversation_updated",
        b"contact_updated",
        b"conversation_created",
        b"beacon",
        b"order.paid",
    )
    values = [
        None,
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b"1" * 5000,
        b"\0",
    ]
    whole = orjson.loads(_value(tenant))
    async with tenant.producer() as producer:
        for value in [*values, *(strange(whole, tenant.chance) for _ in range(20))]:
            for event in events:
                for topic in _TOPICS:
                    await producer.send(topic.name, key=b"x", value=value, headers=_headers(tenant, event=event))
        await producer.flush()


async def giant_records(tenant: Tenant) -> None:
    """As large as a topic takes, of every event; compressed they are small."""
    async with tenant.producer() as producer:
        for event in (b"message_created", b"contact_updated", b"beacon", b"order.placed", b"unheard-of"):
            for topic in _TOPICS:
                value = b'{"a":"' + b"x" * (_LARGEST - 1000) + b'"}'
                await producer.send_and_wait(topic.name, key=b"x", value=value, headers=_headers(tenant, event=event))


async def a_flood_of_rot(tenant: Tenant) -> None:
    """Two thousand records that can never be applied, as fast as Kafka takes them."""
    async with tenant.producer() as producer:
        for number in range(2000):
            value = b'{"rotten":%d}' % number
            await producer.send(SHOP_EVENTS.name, key=b"%d" % number, value=value, headers=_headers(tenant))
        await producer.flush()


ACTS = named(odd_headers, odd_keys, odd_records, giant_records, a_flood_of_rot)
