"""A visitor's page: it asks for its configuration and reports what happens on it, as the storefront script does."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
import orjson
import uuid_utils

from services.kernel.clock import Clock

CONSENT = ("analytics", "personalisation")


class PageVisitor:
    """One page of a store. `client` has the ingress as base URL, `origin` is the storefront's."""

    def __init__(self, client: httpx.AsyncClient, website_token: str, origin: str, clock: Clock) -> None:
        self._client = client
        self._website_token = website_token
        self._origin = origin
        self._clock = clock
        self._ahead = timedelta(0)
        self.config: dict[str, Any] = {}

    async def arrive(self, vouched: Mapping[str, str] | None = None, session: str | None = None) -> httpx.Response:
        """Fetch configuration and token; `vouched` is what the shop's back end put into the page."""
        query = {**(vouched or {}), **({"session": session} if session else {})}
        answer = await self._client.get(
            f"/widget/{self._website_token}/config", params=query, headers={"origin": self._origin}
        )
        if answer.is_success:
            self.config = answer.json()
            self._ahead = datetime.fromisoformat(self.config["server_time"]) - self._clock.now()
        return answer

    async def report(self, *events: dict[str, Any], consent: Sequence[str] = CONSENT) -> httpx.Response:
        """Post these as sendBeacon does: text/plain, so that no preflight is needed."""
        body = orjson.dumps({"token": self.config["token"], "consent": consent, "events": events})
        headers = {"origin": self._origin, "content-type": "text/plain;charset=UTF-8"}
        return await self._client.post("/beacons", content=body, headers=headers)

    def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        """An event that happens now, by the server's clock."""
        return {"id": event_id(self._clock.now() + self._ahead), "event_type": kind} | fields


def event_id(at: datetime) -> str:
    """A UUIDv7 whose moment is `at`."""
    chance = uuid.UUID(str(uuid_utils.uuid7())).int & (2**80 - 1)
    return str(uuid.UUID(int=(int(at.timestamp() * 1000) << 80) | chance))
