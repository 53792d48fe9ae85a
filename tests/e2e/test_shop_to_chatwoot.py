"""From the topics to Chatwoot: orders, visits and contacts through the real Kafka and PostgreSQL, in one process."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from prometheus_client import CollectorRegistry

from db.pool import Pool, scoped
from schemas import topics as names
from services.contacts.app import add_to as add_contacts
from services.customers.app import add_to as add_customers
from services.kernel import Chatwoot, Process, Record, Settings
from services.kernel.secrets import load_secrets
from services.widget.app import add_to as add_widget
from tests.answering import Answering
from tests.eventually import eventually
from tests.newest import begin_at_the_end
from tests.publishing import publish_all
from tests.services.attached import attach, authorize
from tests.services.contacts.api import ContactsDouble
from tests.services.widget.test_handlers import event as beacon

_CUSTOMERS = 20
_NOON = datetime.now(UTC) - timedelta(days=1)
_LETTERS = "select consumer_group, kind, reason from wootstream.dead_letters where organization_id = $1"


@asynccontextmanager
async def running(settings: Settings, api: ContactsDouble) -> AsyncIterator[Process]:
    """The three services, stopped as by SIGTERM at the end."""
    process = Process(settings)
    await process.chatwoot.close()
    process.chatwoot = Chatwoot(settings, process.clock, CollectorRegistry(), Answering(api.answer))
    for add_to in (add_widget, add_customers, add_contacts):
        add_to(process)
    serving = asyncio.create_task(process.serve())
    try:
        yield process
    finally:
        process.stopping.set()
        assert await serving == 0, process.failure


def record(topic: names.Topic, store: uuid.UUID, event: str, key: str, value: Any) -> Record:
    return Record.accepted(
        topic.name,
        key=f"{store}:{key}".encode(),
        value=orjson.dumps(value),
        store=store,
        event=event,
        origin="shop",
        received_at=datetime.now(UTC),
    )


def order_event(
    store: uuid.UUID, kind: str, customer: str, order: str, minute: int, amount: int | None = None
) -> Record:
    data: dict[str, Any] = {"customer_id": customer, "order_id": order}
    data |= {} if amount is None else {"amount_minor": amount, "currency": "EUR"}
    at = (_NOON + timedelta(minutes=minute)).isoformat()
    said = {"specversion": "1.0", "id": f"{kind}-{order}", "source": "shop", "type": kind, "time": at, "data": data}
    return record(names.SHOP_EVENTS, store, kind, customer, said)


def story(store: uuid.UUID) -> list[Record]:
    """Each customer: a contact in Chatwoot, two orders, a page."""
    told = []
    for number in range(_CUSTOMERS):
        customer = f"c{number}"
        shown = {"event": "contact_created", "id": number + 1, "identifier": customer, "email": f"{customer}@x.example"}
        told += [
            record(names.WEBHOOKS, store, "contact_created", f"contact:{number + 1}", shown),
            order_event(store, "order.placed", customer, f"o{number}a", 0, 30_000),
            order_event(store, "order.paid", customer, f"o{number}a", 1),
            order_event(store, "order.placed", customer, f"o{number}b", 2, 40_000),
            order_event(store, "order.paid", customer, f"o{number}b", 3),
            record(names.WIDGET_EVENTS, store, "beacon", "s", [beacon(customer_id=customer, event_type="page_viewed")]),
        ]
    return told


@pytest.mark.usefixtures("topics")
async def test_orders_reach_chatwoot_once_through_an_outage_a_restart_and_repeats(
    settings: Settings, pool: Pool, admin_pool: Pool
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    api, store = ContactsDouble(fault=httpx.Response(503)), await attach(admin_pool, push="live")
    await authorize(admin_pool, store, load_secrets(settings))
    at = f"{store.hex}.example"
    for number in range(_CUSTOMERS):
        api.add(at, number + 1, identifier=f"c{number}", email=f"c{number}@x.example")
    told = story(store) * 2
    random.Random(seed).shuffle(told)

    groups = {"widget": names.WIDGET_EVENTS, "visits": names.WIDGET_EVENTS}
    groups |= {"customers": names.SHOP_EVENTS, "contacts": names.WEBHOOKS}
    await begin_at_the_end(settings, admin_pool, groups)

    async with running(settings, api) as process:
        await eventually(lambda: process.publisher.connected)
        await publish_all(process.publisher, told)
        await eventually(lambda: len(api.made(at)) >= 3)
    api.fault = None
    async with running(settings, api):

        async def all_told() -> bool:
            held = [api.attributes(at, number + 1).get("total_spent") for number in range(_CUSTOMERS)]
            assert held == ["€700.00"] * _CUSTOMERS
            async with scoped(pool, {store}) as conn:
                return bool(await conn.fetchval("select count(*) = 0 from wootstream.due"))

        await eventually(all_told)
    async with scoped(pool, {store}) as conn:
        assert await conn.fetchval("select count(*) from wootstream.orders") == 2 * _CUSTOMERS
        assert await conn.fetchval("select count(*) from public.chatwoot_widget_events") == _CUSTOMERS
        # Whatever the scope, letters of no store are seen too: other tests of this database leave such ones.
        assert await conn.fetch(_LETTERS, store) == []
    assert {api.attributes(at, number + 1)["customer_tier"] for number in range(_CUSTOMERS)} == {"Silver"}
    print("marks", len(told), "calls", len(api.made(at)))
