"""A store that seals: what its doors take reads as from any other, and shows nothing of anybody where it lies."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from db.pool import Pool, scoped
from local.demo.shop import Shop as Backend
from local.demo.shop import shop_event
from local.demo.visitors import PageVisitor
from schemas import topics
from services.contacts import app as contacts
from services.control.stores import attach
from services.conversations import app as conversations
from services.customers import app as customers
from services.ingress import app as ingress
from services.kernel import Clock, Process, Record, Settings
from services.kernel.secrets import load_secrets
from services.widget import app as widget
from tests.eventually import eventually
from tests.forget.opening import shown
from tests.services.ingress.bench import EVENT_SECRET, ORIGIN, Shop, held, open_shop, post_webhook, serving

pytestmark = pytest.mark.usefixtures("topics")
_DOORS = (topics.WEBHOOKS, topics.WIDGET_EVENTS, topics.SHOP_EVENTS)
_NEEDLES = ["anna", "198.51.100", "61234567", "lives at 9", "sofa-7", "order-a1", "81000001"]
_CONTACT = {"id": 81000001, "name": "Anna", "email": "anna@mail.example", "phone_number": "+31 61234567",
            "identifier": "shop-anna"}  # fmt: skip
_TALK = {"id": 7, "inbox_id": 1, "status": "open", "created_at": 1_760_000_000, "timestamp": 1_760_000_000,
         "meta": {"sender": _CONTACT}, "contact_inbox": {"contact_id": 81000001}, "messages": []}  # fmt: skip
_MESSAGE = {"event": "message_created", "id": 700, "message_type": "incoming", "content": "Anna lives at 9",
            "created_at": "2025-10-09T08:53:21Z", "sender": _CONTACT, "account": {"id": 3}, "conversation": _TALK,
            "inbox": {"id": 1, "name": "web"}}  # fmt: skip
_ROWS = (
    "select chatwoot_contact_id, status from public.chatwoot_conversations where organization_id = $1",
    "select message_id, kind, sender_id from wootstream.messages where organization_id = $1",
    "select chatwoot_contact_id, customer_id, email, phone from public.chatwoot_contacts where organization_id = $1",
    "select order_id, customer_id, total_minor from wootstream.orders where organization_id = $1",
    "select customer_id, email, name from wootstream.customers where organization_id = $1",
    "select event_type, customer_id, page_url from public.chatwoot_widget_events where organization_id = $1",
)
_MESSAGES = "select count(*) from wootstream.messages where organization_id = $1"
_LOSE = "delete from wootstream.seal_trees where organization_id = $1 returning id"


async def seal(settings: Settings, shop: Shop, *, on: bool = True) -> None:
    """As `wootstream stores set` does."""
    process = Process(settings)
    try:
        await attach.set_seal(process.pool(), load_secrets(settings), shop.slug, seal=on)
    finally:
        await process.close()


@asynccontextmanager
async def whole(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The doors and all who read, in one process."""
    process = Process(settings)
    for service in (ingress, conversations, widget, customers, contacts):
        service.add_to(process)
    running = asyncio.create_task(process.serve())
    try:
        await eventually(lambda: bool(process.address) and process.publisher.connected)
        async with httpx.AsyncClient(base_url=process.address, timeout=60) as client:
            yield client
    finally:
        process.stopping.set()
        assert await running == 0, process.failure


async def told(client: httpx.AsyncClient, shop: Shop) -> None:
    """All that is ever received about Anna: a chat, an order, a visit."""
    now = datetime.now(UTC)
    stamp = {"updated_at": {"previous_value": None, "current_value": "2025-10-09T08:53:21Z"}}
    updated = _CONTACT | {"event": "contact_updated", "account": {"id": 3}, "changed_attributes": [stamp]}
    for body in (updated, _TALK | {"event": "conversation_created", "account": {"id": 3}}, _MESSAGE):
        assert (await post_webhook(client, shop, orjson.dumps(body), at=now)).status_code == 204
    backend, visitor = (
        Backend(client, shop.slug, EVENT_SECRET),
        PageVisitor(client, shop.website_token, ORIGIN, Clock()),
    )
    order = shop_event(
        "order.placed", now, customer_id="shop-anna", order_id="order-a1", amount_minor=5, currency="EUR"
    )
    known = shop_event("customer.updated", now, customer_id="shop-anna", email="anna@mail.example", name="Anna")
    assert [(await backend.send(one)).status_code for one in (order, known)] == [204, 204]
    await visitor.arrive(backend.vouch("shop-anna", expires=now + timedelta(hours=1)))
    seen = visitor.event("page_viewed", page_url=f"{ORIGIN}/anna", event_data={"search": "sofa-7"})
    assert (await visitor.report(seen)).status_code == 204


async def rows(admin: Pool, store: uuid.UUID) -> list[list[dict[str, Any]]]:
    async with admin.acquire() as conn:
        return [[dict(row) for row in await conn.fetch(query, store)] for query in _ROWS]


async def taken(settings: Settings, shop: Shop) -> list[Record]:
    """Each once: what Kafka acknowledged too late was kept in the spool, too, and is there twice."""
    held_ones = [one for topic in _DOORS for one in await held(settings, topic, shop.id)]
    return list({one.id: one for one in held_ones}.values())


async def test_a_sealed_stores_rows_are_those_of_any_other_and_its_records_show_nobody(
    settings: Settings, admin_pool: Pool
) -> None:
    plain, sealed = [await open_shop(admin_pool, settings, push="off") for _ in range(2)]
    await seal(settings, sealed)
    async with whole(settings) as client:
        await told(client, plain)
        await told(client, sealed)

        async def alike() -> bool:
            expected, found = await rows(admin_pool, plain.id), await rows(admin_pool, sealed.id)
            assert all(expected), expected
            assert found == expected
            return True

        await eventually(alike)
    assert shown(await taken(settings, plain), _NEEDLES) > len(_NEEDLES)
    records = await taken(settings, sealed)
    assert len(records) == 6
    assert shown(records, _NEEDLES) == 0


async def test_while_kafka_is_away_the_spools_bytes_show_nobody_even_unsealed(
    settings: Settings, admin_pool: Pool
) -> None:
    """With the installation's key alone nothing of her is read."""
    shop = await open_shop(admin_pool, settings)
    await seal(settings, shop)
    away = settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
    async with serving(away, kafka=False) as (_, client):
        assert (await post_webhook(client, shop, orjson.dumps(_MESSAGE), at=datetime.now(UTC))).status_code == 204
    waiting = await _left_in_spool(away)
    assert [one.is_closed for one in waiting] == [True]
    assert shown(waiting, _NEEDLES) == 0


async def test_a_door_that_starts_while_postgresql_is_away_still_seals(settings: Settings, admin_pool: Pool) -> None:
    shop = await open_shop(admin_pool, settings)
    await seal(settings, shop)
    async with serving(settings) as (_, client):
        await _posts(client, shop)
        await eventually(lambda: any((settings.data_directory / "ingress").glob("stores.sealed")))
    away = settings.model_copy(update={"database_url": SecretStr("postgresql://nobody@127.0.0.1:1/none")})
    async with serving(away) as (_, client):
        await _posts(client, shop)

    async def arrived() -> bool:
        assert [one.is_closed for one in await taken(settings, shop)] == [True, True]
        return True

    # By way of the spool, where an earlier process left something in it.
    async with serving(settings):
        await eventually(arrived)


async def test_switched_on_and_off_under_traffic_nothing_is_lost_and_both_kinds_are_read(
    settings: Settings, admin_pool: Pool
) -> None:
    shop = await open_shop(admin_pool, settings, push="off")
    posted = 0
    async with whole(settings) as client:
        for on in (True, False, True):
            before = await taken(settings, shop)
            await seal(settings, shop, on=on)

            async def followed(on: bool = on, known: int = len(before)) -> bool:
                nonlocal posted
                await _posts(client, shop, number=posted)
                posted += 1
                fresh = await taken(settings, shop)
                return len(fresh) > known and sum(one.is_closed for one in fresh) > 0 and _latest(fresh).is_closed is on

            await eventually(followed)

        async def kept() -> bool:
            async with admin_pool.acquire() as conn:
                count = await conn.fetchval(
                    "select count(*) from wootstream.messages where organization_id = $1", shop.id
                )
            assert count == posted
            return True

        await eventually(kept)
    assert {one.is_closed for one in await taken(settings, shop)} == {True, False}


async def test_a_tree_that_an_older_database_lacks_is_told_again_by_the_door_that_has_it(
    settings: Settings, admin_pool: Pool
) -> None:
    shop = await open_shop(admin_pool, settings)
    await seal(settings, shop)
    async with serving(settings) as (_, client):
        await _posts(client, shop)
        async with admin_pool.acquire() as conn:
            before = await conn.fetch(
                "delete from wootstream.seal_trees where organization_id = $1 returning id", shop.id
            )
            await conn.execute(
                "update public.chatwoot_accounts set seal_version = seal_version + 1 where organization_id = $1",
                shop.id,
            )

        async def again() -> bool:
            async with admin_pool.acquire() as conn:
                now = await conn.fetch("select id from wootstream.seal_trees where organization_id = $1", shop.id)
            assert {row["id"] for row in now} >= {row["id"] for row in before}
            return True

        await eventually(again)

        async def drained() -> bool:  # an earlier process's spool may come first
            return len(await taken(settings, shop)) == 1

        await eventually(drained)
    process = Process(settings)
    async with scoped(process.pool(), {shop.id}) as conn:
        records = await taken(settings, shop)
        assert not await process.opener.open(conn, records, {str(shop.id)})
    await process.close()
    assert [orjson.loads(one.value)["id"] for one in records] == [700]


async def _posts(client: httpx.AsyncClient, shop: Shop, *, number: int = 0) -> None:
    body = orjson.dumps(_MESSAGE | {"id": 700 + number})
    assert (await post_webhook(client, shop, body, at=datetime.now(UTC))).status_code == 204


def _latest(records: Sequence[Record]) -> Record:
    return max(records, key=lambda one: one.id or "")


async def _left_in_spool(settings: Settings) -> list[Record]:
    process = Process(settings)
    spool = ingress.acceptance_of(process).spool
    try:
        return [one for chunk in await spool.read(None, 1_000) for one in chunk.waiting]
    finally:
        await spool.close()
        await process.close()
