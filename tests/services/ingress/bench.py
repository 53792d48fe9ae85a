"""A store with its secrets, the doors behind a real HTTP server, and what the topics then hold of the store."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from aiokafka import TopicPartition

from db.pool import Pool
from local.replay.webhook_sender import sign
from schemas.topics import Topic
from services.ingress.app import add_to
from services.kernel import Clock, Process, Record, Settings
from services.kernel.kafka import client
from services.kernel.secrets import load_secrets
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.services.attached import ACCOUNT_ID, attach

ORIGIN = "https://shop.example"
EVENT_SECRET = "whsec_c2hvcHMtc2VjcmV0LW9mLTI0LWJ5dGVz"
SHOPIFY_SECRET, SHOPIFY_DOMAIN = "example-app-client-secret", "lantern-and-loom.myshopify.com"


@dataclass(frozen=True)
class Shop:
    """A store as its senders know it."""

    id: uuid.UUID
    slug: str
    secret: str
    website_token: str
    event_secret: str = EVENT_SECRET
    account_id: int = ACCOUNT_ID
    shopify_secret: str = SHOPIFY_SECRET

    @property
    def door(self) -> str:
        return f"/webhooks/chatwoot/{self.slug}"


async def open_shop(admin: Pool, settings: Settings, *, account_id: int = ACCOUNT_ID, **columns: Any) -> Shop:
    """Attach a store whose secrets the installation can open; `columns` win."""
    keys, secret = load_secrets(settings), uuid.uuid4().hex
    store: uuid.UUID = columns.get("organization_id") or uuid.uuid4()
    sealed = {
        "webhook_secret": keys.seal(secret, organization=store, column="webhook_secret"),
        "event_secret": keys.seal(EVENT_SECRET, organization=store, column="event_secret"),
        "shopify_secret": keys.seal(SHOPIFY_SECRET, organization=store, column="shopify_secret"),
        "shopify_domain": SHOPIFY_DOMAIN,
        "domains": [ORIGIN.removeprefix("https://")],
        "chatwoot_account_id": account_id,
    }
    shop = Shop(store, f"shop-{store.hex[:12]}", secret, store.hex, account_id=account_id)
    await attach(admin, **{"organization_id": store, "slug": shop.slug, "website_token": store.hex} | sealed | columns)
    return shop


@asynccontextmanager
async def serving(
    settings: Settings, *, kafka: bool = True, clock: Clock | None = None
) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    """A process with the ingress alone, as by `wootstream run ingress`, and a client of it."""
    process = Process(settings, clock)
    add_to(process)
    running = asyncio.create_task(process.serve())
    try:
        await eventually(lambda: process.address or running.done())
        if kafka:
            await eventually(lambda: process.publisher.connected)
        async with httpx.AsyncClient(base_url=process.address, timeout=PATIENCE_SECONDS) as client:
            yield process, client
    finally:
        process.stopping.set()
        assert await running == 0, process.failure


async def post_webhook(
    client: httpx.AsyncClient, shop: Shop, body: bytes, *, at: datetime, secret: str | None = None, path: str = ""
) -> httpx.Response:
    """As Chatwoot posts it."""
    headers = signed(shop, body, at=at, secret=secret)
    return await client.post(path or shop.door, content=body, headers=headers)


def signed(shop: Shop, body: bytes, *, at: datetime, secret: str | None = None) -> dict[str, str]:
    """Chatwoot's headers."""
    timestamp = str(int(at.timestamp()))
    signature = sign(secret or shop.secret, timestamp, body)
    return {"content-type": "application/json", "x-chatwoot-timestamp": timestamp, "x-chatwoot-signature": signature}


async def held(settings: Settings, topic: Topic, *stores: uuid.UUID) -> list[Record]:
    """The records of these stores that the topic holds now, in the order of each partition."""
    consumer = client.consumer(settings)
    await consumer.start()
    try:
        parts = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        ends = await consumer.end_offsets(parts)
        found: list[Record] = []
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [Record.consumed(one) for one in records]
        return [record for record in found if record.store in stores]
    finally:
        await consumer.stop()
