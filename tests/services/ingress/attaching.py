"""A store that is attached while its senders post to it already."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx

from schemas.stores import StoreOptions
from services.control.stores import attach
from services.kernel import Settings
from tests.eventually import eventually
from tests.services.ingress.bench import Shop, post_webhook

_BODY = b'{"event":"message_created","id":9,"account":{"id":3},"conversation":{"id":7}}'
_AFTER = 5  # posts of each sender once it is attached


async def post(client: httpx.AsyncClient, shop: Shop) -> int:
    return (await post_webhook(client, shop, _BODY, at=datetime.now(UTC))).status_code


def invented() -> Shop:
    """A store that nobody knows."""
    store = uuid.uuid4()
    return Shop(store, f"shop-{store.hex[:12]}", uuid.uuid4().hex, store.hex)


async def attached_under_fire(settings: Settings, doors: Sequence[httpx.AsyncClient]) -> tuple[set[int], list[int]]:
    """What a sender at each door was answered: before, and to each request begun after the attaching had returned."""
    shop, attached = invented(), asyncio.Event()
    before: set[int] = set()

    async def send(client: httpx.AsyncClient) -> list[int]:
        while not attached.is_set():
            status = await post(client, shop)
            if not attached.is_set():
                before.add(status)
        return [await post(client, shop) for _ in range(_AFTER)]

    senders = [asyncio.create_task(send(client)) for client in doors]
    await eventually(lambda: before)
    account = {"base_url": f"https://{shop.slug}.example", "account_id": 3, "website_token": shop.website_token}
    await attach.add(
        settings, StoreOptions.model_validate({"slug": shop.slug, "webhook_secret": shop.secret} | account)
    )
    attached.set()
    return before, [status for some in await asyncio.gather(*senders) for status in some]
