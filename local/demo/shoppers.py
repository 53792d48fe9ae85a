"""Simulated customers of a demo shop: they look around, fill a cart, order, pay, and now and then send it back."""

import asyncio
import random
import uuid
from collections import Counter
from datetime import timedelta

import httpx

from local.chatwoot.double import Double
from local.chatwoot.model.rows import Contact
from local.demo.shop import Shop, shop_event
from local.demo.shops import DemoStore
from local.demo.visitors import PageVisitor
from services.kernel.clock import Clock

_PAGES = ("/", "/beds", "/beds/oak", "/sofas", "/sofas/corner", "/sale")
_PRICES_MINOR = (1_995, 12_900, 45_000, 129_900)
_RETURNS = 0.1  # a tenth of the orders comes back, so that refunds are seen in a minute's demo
_BACK_OFF_SECONDS = 0.5


class Customers:
    """Everybody whom Chatwoot knows at this store, as its shop knows them; `answers` counts the doors' statuses."""

    def __init__(self, client: httpx.AsyncClient, double: Double, store: DemoStore, *, seed: int) -> None:
        self._client = client
        self._store = store
        self._shop = Shop(client, store.place.slug, store.event_secret, store.vouching_secret)
        self._people = [one for one in double.state.contacts[store.account.id].values() if one.email]
        self._chance = random.Random(f"{seed} {store.place.slug}")
        self._clock = Clock()
        self.answers: Counter[int] = Counter()

    async def live(self, *, visits_per_second: float, until: asyncio.Event) -> None:
        """One visit after the other until the time is up."""
        while not until.is_set():
            try:
                await self._visit(self._chance.choice(self._people))
            # Counted, and the visitor comes again: the demo shows outages, it does not end by them.
            except httpx.TransportError:
                self.answers[0] += 1
                await self._clock.sleep(_BACK_OFF_SECONDS)
            await self._pause(until, self._chance.expovariate(visits_per_second))

    async def _pause(self, until: asyncio.Event, seconds: float) -> None:
        try:
            await asyncio.wait_for(until.wait(), seconds)
        except TimeoutError:
            return

    async def _visit(self, person: Contact) -> None:
        customer = person.identifier or f"customer-{person.id}"
        known = {"customer_id": customer, "email": person.email, "name": person.name}
        self._count(await self._shop.send(self._event("customer.updated", **known)))
        cart = [self._chance.choice(_PRICES_MINOR) for _ in range(self._chance.randint(1, 3))]
        await self._look_around(customer, cart)
        order = {"customer_id": customer, "order_id": f"order-{uuid.uuid4().hex[:12]}"}
        price = {"amount_minor": sum(cart), "currency": self._store.place.currency}
        events = [self._event("order.placed", **order, **price), self._event("order.paid", **order)]
        if self._chance.random() < _RETURNS:
            events.append(self._event("order.refunded", **order))
        self._count(await self._shop.send_batch(events))

    async def _look_around(self, customer: str, cart: list[int]) -> None:
        visitor = PageVisitor(self._client, self._store.recorded.website_token, self._store.origin, self._clock)
        vouched = self._shop.vouch(customer, expires=self._clock.now() + timedelta(hours=1))
        self._count(await visitor.arrive(vouched))
        pages = self._chance.sample(_PAGES, 2)
        seen = [visitor.event("page_viewed", page_url=self._store.origin + page) for page in pages]
        filled = {"value_minor": sum(cart), "currency": self._store.place.currency, "items": len(cart)}
        loaded = visitor.event("widget_loaded", load_time_ms=self._chance.randint(80, 900))
        self._count(await visitor.report(loaded, *seen, visitor.event("cart_updated", event_data=filled)))

    def _event(self, kind: str, **data: object) -> dict[str, object]:
        return shop_event(kind, self._clock.now(), **data)

    def _count(self, answer: httpx.Response) -> None:
        self.answers[answer.status_code] += 1
