"""The example of docs/architecture.md is a whole consumer: a real process runs it as it stands there."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import orjson
import pytest

from db.pool import Pool, scoped
from docs.examples.refunds.app import add_to
from schemas.topics import SHOP_EVENTS
from services.kernel import Process, Record, Settings
from tests.eventually import eventually
from tests.newest import begin_at_the_end
from tests.publishing import publish_all
from tests.services.attached import attach

_OUTCOMES = "select applied, ignored, dead from wootstream.ledger where consumer_group = 'refunds'"


@pytest.fixture
async def process(settings: Settings, admin_pool: Pool, topics: list[str]) -> AsyncIterator[Process]:
    await begin_at_the_end(settings, admin_pool, {"refunds": SHOP_EVENTS})
    process = Process(settings)
    add_to(process)
    serving = asyncio.create_task(process.serve())
    await eventually(lambda: process.publisher.connected)
    yield process
    process.stopping.set()
    await serving


def order(store: uuid.UUID, kind: str, *, customer: str) -> Record:
    now = datetime.now(UTC)
    data = {"customer_id": customer, "order_id": "o1"}
    event = {"specversion": "1.0", "id": kind, "source": "/shop", "type": kind, "time": now.isoformat(), "data": data}
    key = f"{store}:{customer}".encode()
    return Record.accepted(
        SHOP_EVENTS.name, key=key, value=orjson.dumps(event), store=store, event=kind, origin="shop", received_at=now
    )


async def test_who_was_refunded_is_due_and_the_ledger_counts_it_applied(
    process: Process, pool: Pool, admin_pool: Pool
) -> None:
    store = await attach(admin_pool)
    kinds = {"c1": "order.refunded", "c2": "order.paid", "": "order.refunded"}  # the last one names nobody
    await publish_all(process.publisher, [order(store, kind, customer=who) for who, kind in kinds.items()])

    async def counted() -> tuple[int, ...]:
        async with admin_pool.acquire() as conn:
            rows = await conn.fetch(_OUTCOMES)
        return tuple(sum(row[name] for row in rows) for name in ("applied", "ignored", "dead"))

    async def settled() -> bool:
        return sum(await counted()) == len(kinds)

    await eventually(settled)
    assert await counted() == (1, 1, 1)
    async with scoped(pool, {store}) as conn:
        rows = await conn.fetch("select person from wootstream.due where organization_id = $1", store)
    assert [row["person"] for row in rows] == ["customer:c1"]
