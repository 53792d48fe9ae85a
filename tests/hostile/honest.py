"""The honest store: its Chatwoot, its pages and its shop send at a steady rate, and each request is accounted for."""

import asyncio
import itertools
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import httpx
import orjson
from standardwebhooks import Webhook

from local.demo.shop import shop_event
from local.demo.visitors import CONSENT, PageVisitor
from services.kernel import Clock
from tests.eventually import eventually
from tests.services.ingress.bench import ORIGIN, Shop, signed
from tests.services.ingress.wire import request, wire

CUSTOMERS = 20
_CONVERSATIONS = 500
_SESSIONS = 8  # of whose quota each uses a part

Door = Literal["webhooks", "beacons", "events"]


class Sent(NamedTuple):
    """One request: its door, what it is called in our tables, when it was due, how long it took, what came back."""

    door: Door
    name: str
    due: datetime
    seconds: float
    status: int  # 0: no answer within its patience
    customer: str | None  # who bought


@dataclass
class Honest:
    """What it sent so far. Every request has a connection of its own, as Chatwoot's have."""

    address: str
    shop: Shop
    per_second: float
    patience_seconds: float
    sent: list[Sent] = field(default_factory=list)
    _tokens: list[str] = field(default_factory=list)
    _ending: bool = False

    async def arrive(self) -> None:
        """Its visitors open their pages."""
        async with httpx.AsyncClient(base_url=self.address) as client:
            for _ in range(_SESSIONS):
                visitor = PageVisitor(client, self.shop.website_token, ORIGIN, Clock())
                await visitor.arrive()
                self._tokens.append(visitor.config["token"])

    async def run(self) -> None:
        """Until `end`. A slow answer delays no other request."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                moment = begin + number / self.per_second
                await asyncio.sleep(moment - loop.time())
                if self._ending:
                    return
                group.create_task(self._send(number))

    async def has_sent(self, count: int) -> None:
        """Wait until so many were answered."""
        await eventually(lambda: len(self.sent) >= count)

    def accepted_orders(self) -> Counter[str]:
        """By customer."""
        return Counter(one.customer for one in self.sent if one.customer and one.status == 204)

    def possible_orders(self) -> Counter[str]:
        """By customer, with those that may have been accepted although no answer, or a 503, came in time."""
        return Counter(one.customer for one in self.sent if one.customer and one.status in (0, 204, 503))

    def end(self) -> None:
        self._ending = True

    async def _send(self, number: int) -> None:
        """Timed from here: nothing that is slow keeps a request from being sent, but a machine that has other work."""
        loop, now = asyncio.get_running_loop(), datetime.now(UTC)
        door, name, raw, customer = self._request(number, now)
        begin = loop.time()
        status = await self._ask(raw)
        self.sent.append(Sent(door, name, now, loop.time() - begin, status, customer))

    async def _ask(self, raw: bytes) -> int:
        try:
            async with asyncio.timeout(self.patience_seconds), wire(self.address) as line:
                status, _ = await line.ask(raw)
                return status
        except (OSError, TimeoutError):
            return 0

    def _request(self, number: int, now: datetime) -> tuple[Door, str, bytes, str | None]:
        if number % 10 == 0:
            name = str(uuid.UUID(int=_at(now) | number << 8 | 1))
            return "beacons", name, self._beacon(name, self._tokens[number // 10 % _SESSIONS]), None
        if number % 10 == 5:
            name, customer = f"order-{number}", customer_of(number // 10)
            return "events", name, self._order(name, customer, now), customer
        body = _message(self.shop, number, now)
        return "webhooks", str(number), request(self.shop.door, signed(self.shop, body, at=now), body), None

    def _beacon(self, name: str, token: str) -> bytes:
        event = {"id": name, "event_type": "page_viewed", "page_url": f"{ORIGIN}/shoes?size=42"}
        body = orjson.dumps({"token": token, "consent": CONSENT, "events": [event]})
        return request("/beacons", {"origin": ORIGIN, "content-type": "text/plain;charset=UTF-8"}, body)

    def _order(self, name: str, customer: str, now: datetime) -> bytes:
        order = shop_event("order.placed", now, customer_id=customer, order_id=name, amount_minor=100, currency="EUR")
        body, told = orjson.dumps(order), f"msg_{name}"
        headers = {
            "content-type": "application/cloudevents+json",
            "webhook-id": told,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(self.shop.event_secret).sign(told, now, body.decode()),
        }
        return request(f"/events/{self.shop.slug}", headers, body)


def customer_of(number: int) -> str:
    """Its customers buy in turns."""
    return f"honest-{number % CUSTOMERS}"


@asynccontextmanager
async def sending(honest: Honest) -> AsyncIterator[None]:
    """It sends for the length of a `with`; every answer is in when it ends."""
    running = asyncio.create_task(honest.run())
    try:
        yield
    finally:
        honest.end()
        await running


def _at(moment: datetime) -> int:
    """The fixed parts of a UUIDv7 of this moment."""
    return int(moment.timestamp() * 1000) << 80 | 7 << 76 | 0b10 << 62


def _message(shop: Shop, number: int, now: datetime) -> bytes:
    """A message in one of its conversations, by the customer and by a person in turns."""
    conversation = number % _CONVERSATIONS + 1
    sender: dict[str, Any] = {"id": conversation, "name": "K"} if number % 2 else {"id": 3, "name": "A", "type": "user"}
    return orjson.dumps(
        {
            "event": "message_created",
            "id": number,
            "account": {"id": shop.account_id, "name": "honest"},
            "inbox": {"id": 9, "name": "Web"},
            "conversation": {
                "id": conversation,
                "inbox_id": 9,
                "status": "open",
                "labels": [],
                "created_at": int(now.timestamp()) // 86_400 * 86_400,
                "updated_at": now.timestamp(),
                "contact_inbox": {"contact_id": conversation},
                "meta": {"sender": {"id": conversation, "type": "contact"}, "assignee": None, "team": None},
                "messages": [],
            },
            "sender": sender,
            "message_type": "incoming" if number % 2 else "outgoing",
            "content_type": "text",
            "content": "Where is my order? " * 20,
            "content_attributes": {},
            "additional_attributes": {},
            "private": False,
            "created_at": now.isoformat(),
        }
    )
