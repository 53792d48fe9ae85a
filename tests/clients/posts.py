"""One request for each door, as a client's program reads it from a file: URL, headers, an empty line, the body."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
from standardwebhooks import Webhook

from local.demo.shop import shop_event
from local.demo.visitors import CONSENT, PageVisitor
from tests.services.ingress.bench import EVENT_SECRET, ORIGIN, Shop, signed

# So long that curl and Guzzle ask first (Expect: 100-continue), and that it comes in many parts.
_LONG = 1_200_000


@dataclass(frozen=True)
class Post:
    """What a client is to post."""

    path: str
    headers: dict[str, str]
    body: bytes

    def write(self, file: Path, address: str) -> str:
        lines = [address + self.path, *(f"{name}: {value}" for name, value in self.headers.items())]
        file.write_bytes("\n".join([*lines, "", ""]).encode() + self.body)
        return str(file)


def posts(shop: Shop, visitor: PageVisitor) -> list[Post]:
    """A webhook, a long one, a beacon and a shop event, none of them posted before."""
    return [_webhook(shop, "Grüße 👋"), _webhook(shop, "a" * _LONG), _beacon(visitor), _shop_event(shop)]


def _webhook(shop: Shop, content: str) -> Post:
    number = uuid.uuid4().int % 10**9
    told = {"event": "message_created", "id": number, "content": content, "account": {"id": shop.account_id}}
    body = orjson.dumps(told | {"conversation": {"id": number}})
    return Post(shop.door, signed(shop, body, at=datetime.now(UTC)), body)


def _beacon(visitor: PageVisitor) -> Post:
    events = [visitor.event("page_viewed", page_url=f"{ORIGIN}/lamp")]
    body = orjson.dumps({"token": visitor.config["token"], "consent": CONSENT, "events": events})
    return Post("/beacons", {"content-type": "text/plain;charset=UTF-8", "origin": ORIGIN}, body)


def _shop_event(shop: Shop) -> Post:
    now, name = datetime.now(UTC), f"msg_{uuid.uuid4().hex}"
    body = orjson.dumps(shop_event("order.paid", now, customer_id="c1", order_id=name))
    headers = {
        "content-type": "application/cloudevents+json",
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(EVENT_SECRET).sign(name, now, body.decode()),
    }
    return Post(f"/events/{shop.slug}", headers, body)
