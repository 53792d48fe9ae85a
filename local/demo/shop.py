"""An example of a shop's back end: it signs its events as Standard Webhooks, and vouches for who is logged in.

With a store's secret on standard input it sends one order and says what it was answered:

    echo "$SECRET" | python -m local.demo.shop http://127.0.0.1:8080 amsel
"""

import asyncio
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
from standardwebhooks import Webhook

from schemas.vouching import proof

_SOURCE = "/shop"


class Shop:
    """Sends a store's events to its door. `client` has the ingress as base URL."""

    def __init__(self, client: httpx.AsyncClient, slug: str, secret: str, vouching_secret: str | None = None) -> None:
        self._client = client
        self._path = f"/events/{slug}"
        self._vouching_secret = vouching_secret or secret
        self._webhook = Webhook(secret)

    async def send(self, event: dict[str, Any]) -> httpx.Response:
        """One event, in CloudEvents' structured mode."""
        return await self._post(event, "application/cloudevents+json")

    async def send_batch(self, events: Sequence[dict[str, Any]]) -> httpx.Response:
        """Several at once; the answer names those that were refused."""
        return await self._post(events, "application/cloudevents-batch+json")

    def vouch(self, customer: str, *, expires: datetime) -> dict[str, str]:
        """What a page of a customer who is logged in asks its configuration with."""
        seconds = int(expires.timestamp())
        return {"customer": customer, "expires": str(seconds), "proof": proof(self._vouching_secret, customer, seconds)}

    async def _post(self, value: object, kind: str) -> httpx.Response:
        body = orjson.dumps(value).decode()
        name, at = f"msg_{uuid.uuid4().hex}", datetime.now(UTC)
        headers = {
            "content-type": kind,
            "webhook-id": name,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._webhook.sign(name, at, body),
        }
        return await self._client.post(self._path, content=body, headers=headers)


def shop_event(kind: str, at: datetime, /, **data: Any) -> dict[str, Any]:
    """A CloudEvent of this type: `shop_event("order.paid", now, customer_id="c1", order_id="o1")`."""
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": _SOURCE,
        "type": kind,
        "time": at.isoformat(),
        "data": data,
    }


async def _example(address: str, slug: str, secret: str) -> httpx.Response:
    order = {"customer_id": "example", "order_id": f"example-{uuid.uuid4().hex[:8]}"}
    async with httpx.AsyncClient(base_url=address) as client:
        placed = shop_event("order.placed", datetime.now(UTC), **order, amount_minor=245_000, currency="EUR")
        return await Shop(client, slug, secret).send(placed)


def main() -> None:
    """Send the example's order."""
    if len(sys.argv) != 3:
        sys.exit("usage: python -m local.demo.shop ADDRESS STORE < SECRET")
    answer = asyncio.run(_example(sys.argv[1], sys.argv[2], sys.stdin.read().strip()))
    print(answer.status_code, answer.text)


if __name__ == "__main__":
    main()
