"""Chatwoot's side of a webhook: the recorded body as it is, signed with the store's secret at the moment of sending."""

import hashlib
import hmac
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from local.replay.recording import Delivery
from services.kernel.clock import Clock

# At each request httpcore asks thrice for a package that is not needed, and where it is not installed every path is
# searched for it: a sixth of what a replay costs.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class StoreDoor:
    """Where a store's webhooks go: signed, or with the secret at the end of the URL."""

    slug: str
    secret: str | None = None
    path_token: str | None = None

    @property
    def path(self) -> str:
        return f"/webhooks/chatwoot/{self.slug}" + (f"/{self.path_token}" if self.path_token else "")


@dataclass(slots=True)
class WebhookSender:
    """Posts deliveries to their stores' doors and counts the answers."""

    client: httpx.AsyncClient
    doors: Mapping[str, StoreDoor]
    clock: Clock
    answers: Counter[int] = field(default_factory=Counter)

    async def send(self, delivery: Delivery) -> None:
        """Chatwoot sends once and never again, so neither do we: a refusal is counted."""
        self.answers[await self.post(delivery)] += 1

    async def post(self, delivery: Delivery) -> int:
        """The status of one delivery's answer, 0 if none came."""
        door = self.doors[delivery.store]
        headers = {"content-type": "application/json", "user-agent": "rest-client/2.1.0"}  # Chatwoot's
        if delivery.delivery_id:
            headers["x-chatwoot-delivery"] = delivery.delivery_id
        if door.secret:
            timestamp = str(int(self.clock.now().timestamp()))
            headers["x-chatwoot-timestamp"] = timestamp
            headers["x-chatwoot-signature"] = sign(door.secret, timestamp, delivery.body)
        try:
            return (await self.client.post(door.path, content=delivery.body, headers=headers)).status_code
        # No answer is an answer: Chatwoot logs it and goes on, and so the count of 0 shows it.
        except httpx.TransportError:
            return 0


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """As Chatwoot 4.11.2 and later sign: the timestamp belongs to what is signed."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def accepted(answers: Mapping[int, int]) -> int:
    return sum(count for status, count in answers.items() if 200 <= status < 300)
