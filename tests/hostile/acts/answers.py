"""A customer of a store whose Chatwoot answers as it should not: the sender asks, and must survive the answer."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import orjson

from local.demo.shop import shop_event
from tests.hostile.chatwoot import ANSWERS
from tests.hostile.tenant import Tenant

_TELLING_SECONDS = 2.0


def answering(name: str) -> Callable[[Tenant], Awaitable[None]]:
    """Somebody buys in the store whose Chatwoot answers in this way, until that Chatwoot was asked and told."""

    async def act(tenant: Tenant) -> None:
        store, before = tenant.target.by_answer[name], tenant.chatwoot.calls[name]
        customer = f"victim-{tenant.chance.getrandbits(64):x}"
        order = {"customer_id": customer, "order_id": customer, "amount_minor": 100, "currency": "EUR"}
        known = {"customer_id": customer, "email": f"{customer}@shop.example"}
        for event in (("customer.registered", known), ("order.placed", order)):
            await tenant.shop(orjson.dumps(shop_event(event[0], datetime.now(UTC), **event[1])), store=store)
        await tenant.chatwoot.is_called(name, before + 1)
        with contextlib.suppress(TimeoutError):  # it may not get as far as telling: not with such an answer
            async with asyncio.timeout(_TELLING_SECONDS):
                await tenant.chatwoot.is_called(name, before + 2)

    return act


ACTS = {f"answer-{name}": answering(name) for name in ANSWERS}
