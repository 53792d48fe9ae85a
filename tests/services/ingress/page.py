"""A storefront's page of one shop, the shop's back end, and what the topic then holds."""

import re
from typing import Any

import httpx
import orjson

from local.demo.shop import Shop as Backend
from local.demo.visitors import PageVisitor
from schemas.topics import WIDGET_EVENTS
from services.kernel import Clock, Settings
from services.widget import events as widget
from tests.services.ingress.bench import EVENT_SECRET, ORIGIN, Shop, held


class Page:
    """A page of one shop, and what its topic holds."""

    def __init__(self, settings: Settings, shop: Shop, client: httpx.AsyncClient) -> None:
        self.settings, self.shop, self.client = settings, shop, client
        self.visitor = self.of(ORIGIN)
        self.backend = Backend(client, shop.slug, EVENT_SECRET)

    def of(self, origin: str, website_token: str | None = None) -> PageVisitor:
        return PageVisitor(self.client, website_token or self.shop.website_token, origin, Clock())

    async def events(self) -> list[dict[str, Any]]:
        """What the widget service would read."""
        records = await held(self.settings, WIDGET_EVENTS, self.shop.id)
        assert all(widget.read(record) for record in records)
        return [event for record in records for event in orjson.loads(record.value)]

    async def refused(self, reason: str) -> bool:
        metrics = (await self.client.get("/metrics")).text
        return bool(re.search(f'wootstream_refused_total{{door="(beacons|config)",reason="{reason}"}}', metrics))
