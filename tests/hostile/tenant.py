"""The hostile tenant: a store with secrets of its own, and every way in which it can speak to the system."""

import asyncio
import base64
import hmac
import random
import socket
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from local.demo.visitors import CONSENT
from local.replay.webhook_sender import sign
from schemas.vouching import key
from tests.hostile.chatwoot import Chatwoot
from tests.services.ingress.wire import Wire, request, wire

# Another network than the honest store's: what counts by address or network must not count both together.
_ADDRESS = "127.0.9.1"
_ANSWER_SECONDS = 10.0
HUNG_UP = 0


@dataclass(frozen=True)
class Store:
    """A store as its owner knows it."""

    slug: str
    secret: str
    event_secret: str
    website_token: str
    account_id: int
    organization: str

    @property
    def door(self) -> str:
        return f"/webhooks/chatwoot/{self.slug}"


@dataclass(frozen=True)
class Target:
    """What the attack is told: where the system is, and which stores are the tenant's."""

    address: str  # of the doors
    reports: str  # where they are asked for
    kafka: str
    origin: str
    api_token: str
    chatwoot_port: int
    store: Store
    by_answer: dict[str, Store]  # a store for each way in which its Chatwoot answers
    honest_slug: str
    honest_website_token: str

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Target":
        stores = {name: Store(**store) for name, store in values["by_answer"].items()}
        return cls(**{**values, "store": Store(**values["store"]), "by_answer": stores})


@dataclass
class Tenant:
    """One act's hands. `answers` counts what the system said, by status; 0: it hung up."""

    target: Target
    chance: random.Random
    chatwoot: Chatwoot
    answers: Counter[int] = field(default_factory=Counter)

    @property
    def store(self) -> Store:
        return self.target.store

    @asynccontextmanager
    async def connection(self, address: str | None = None) -> AsyncIterator[Wire]:
        """A connection, to the doors if nowhere else, that says exactly what it is given."""
        async with wire(address or self.target.address, source=_source()) as line:
            yield line

    async def ask(self, raw: bytes, *, last: bool = False) -> int:
        """One request over a connection of its own."""
        async with self.connection() as line:
            return await self.answered(line, raw, last=last)

    async def answered(self, line: Wire, raw: bytes, *, last: bool = False) -> int:
        """One request over this connection."""
        async with asyncio.timeout(_ANSWER_SECONDS):
            status, _ = await line.ask(raw, last=last)
        self.answers[status] += 1
        return status

    async def report(self, path: str, headers: Mapping[str, str]) -> bytes:
        """The body of the answer of who gives reports."""
        return await self.get(path, headers, address=self.target.reports)

    async def get(self, path: str, headers: Mapping[str, str] | None = None, *, address: str | None = None) -> bytes:
        """The body of the answer."""
        lines = [f"GET {path} HTTP/1.1", "host: x", *(f"{name}: {value}" for name, value in (headers or {}).items())]
        async with self.connection(address) as line, asyncio.timeout(_ANSWER_SECONDS):
            status, body = await line.ask("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape"))
        self.answers[status] += 1
        return body

    def signed(self, body: bytes, *, store: Store | None = None) -> dict[str, str]:
        """Chatwoot's headers, rightly signed."""
        timestamp = str(int(datetime.now(UTC).timestamp()))
        signature = sign((store or self.store).secret, timestamp, body)
        kind = {"content-type": "application/json"}
        return kind | {"x-chatwoot-timestamp": timestamp, "x-chatwoot-signature": signature}

    async def webhook(self, body: bytes, *, store: Store | None = None, **more: str) -> int:
        """As Chatwoot posts it."""
        store = store or self.store
        return await self.ask(request(store.door, self.signed(body, store=store) | _dashed(more), body))

    async def shop(self, body: bytes, *, store: Store | None = None, batch: bool = False, **more: str) -> int:
        """A rightly signed body at the shops' door."""
        store = store or self.store
        headers = self.shop_signed(body, store=store, batch=batch) | _dashed(more)
        return await self.ask(request(f"/events/{store.slug}", headers, body))

    def shop_signed(self, body: bytes, *, store: Store | None = None, batch: bool = False) -> dict[str, str]:
        """Standard Webhooks' headers, over these very bytes: a library signs text alone."""
        name, timestamp = f"msg_{uuid.uuid4().hex}", str(int(datetime.now(UTC).timestamp()))
        digest = hmac.digest(key((store or self.store).event_secret), f"{name}.{timestamp}.".encode() + body, "sha256")
        return {
            "content-type": f"application/cloudevents{'-batch' * batch}+json",
            "webhook-id": name,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }

    async def token(self, session: str | None = None) -> str:
        """A page's token, as `/config` gives it; "" where it gives none."""
        query = f"?session={session}" if session else ""
        body = await self.get(f"/widget/{self.store.website_token}/config{query}", {"origin": self.target.origin})
        config = orjson.loads(body) if body.startswith(b"{") else {}
        return str(config.get("token", ""))

    async def beacons(self, token: str, events: Sequence[Any], **more: str) -> int:
        """As a page posts them."""
        return await self.beacon_body(beacon_post(token, events), **more)

    async def beacon_body(self, body: bytes, **more: str) -> int:
        headers = {"origin": self.target.origin, "content-type": "text/plain"} | _dashed(more)
        return await self.ask(request("/beacons", headers, body))

    @asynccontextmanager
    async def producer(self) -> AsyncIterator[AIOKafkaProducer]:
        """A foreign writer of the topics."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.target.kafka, max_request_size=2**23, compression_type="gzip"
        ) as producer:
            yield producer


def beacon_post(token: str, events: Sequence[Any]) -> bytes:
    return orjson.dumps({"token": token, "consent": CONSENT, "events": events})


def _dashed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def _source() -> str | None:
    """Where this machine has no other address of its own (macOS), both stores share one."""
    with socket.socket() as probe:
        try:
            probe.bind((_ADDRESS, 0))
        except OSError:
            return None
    return _ADDRESS
