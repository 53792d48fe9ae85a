"""Orders as five shops tell them: shuffled, some told twice; and what each customer comes to, by plain addition."""

import random
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from schemas.topics import Topic
from services.kernel import Publisher, Record

STORES = 5
_EVENTS_A_CUSTOMER = 20
_REPEATED = 0.1
_AT_ONCE, _TRIES = 500, 10
_KINDS = ("beds", "chairs", "lamps", "rugs", "sofas", "tables")
_FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
_TIERS = ((5000, "Platinum"), (2000, "Gold"), (500, "Silver"), (0, "Bronze"))  # whole euros, as by default


@dataclass
class OrderBook:
    """What happened in these stores; `spent` and `orders` hold what was kept of it, in cents."""

    stores: Sequence[uuid.UUID]
    customers: int  # in each store
    chance: random.Random
    events: list[tuple[uuid.UUID, dict[str, Any]]] = field(default_factory=list)
    spent: defaultdict[tuple[uuid.UUID, int], int] = field(default_factory=lambda: defaultdict(int))
    orders: defaultdict[tuple[uuid.UUID, int], int] = field(default_factory=lambda: defaultdict(int))

    def write(self, events: int) -> None:
        """So many events, whose last may be half an order; some come again at the end, and all are shuffled."""
        fresh = int(events / (1 + _REPEATED))
        while len(self.events) < fresh:
            self._order(len(self.events))
        self.events += self.chance.choices(self.events, k=events - len(self.events))
        self.chance.shuffle(self.events)

    def expected(self) -> Iterator[tuple[uuid.UUID, int, dict[str, Any]]]:
        """Store, number and a few attributes of each customer who has ordered."""
        for (store, number), orders in self.orders.items():
            cents = self.spent[store, number]
            tier = next(name for euros, name in _TIERS if cents >= euros * 100)
            yield store, number, {"order_count": orders, "total_spent": f"€{cents / 100:,.2f}", "customer_tier": tier}

    def _order(self, number: int) -> None:
        chance, store = self.chance, self.chance.choice(self.stores)
        customer, cents = chance.randrange(self.customers), chance.randrange(100, 90_000)
        at = _FIRST_DAY + timedelta(seconds=chance.randrange(300 * 86_400))
        price = {"amount_minor": cents, "currency": "EUR"}
        known = {"order_number": f"#{number}", "categories": chance.sample(_KINDS, 2)}
        returned = chance.randrange(1, cents) if chance.random() < 0.2 else 0
        self._tell(store, "placed", at, number, customer, **price, **known)
        self._tell(store, "paid", at + timedelta(hours=1), number, customer, **price)
        if returned:
            self._tell(
                store, "refunded", at + timedelta(days=3), number, customer, amount_minor=returned, currency="EUR"
            )
        self.orders[store, customer] += 1
        self.spent[store, customer] += cents - returned

    def _tell(self, store: uuid.UUID, kind: str, at: datetime, order: int, customer: int, **data: Any) -> None:
        said = {"customer_id": f"c{customer}", "order_id": f"o{order}", **data}
        event = {"specversion": "1.0", "id": f"e{len(self.events)}", "source": "shop", "type": f"order.{kind}"}
        self.events.append((store, event | {"time": at.isoformat(), "data": said}))


def book(stores: Sequence[uuid.UUID], events: int, chance: random.Random) -> OrderBook:
    """Twenty events a customer: of 100,000 events, 5,000 customers."""
    made = OrderBook(stores, max(1, events // _EVENTS_A_CUSTOMER // len(stores)), chance)
    made.write(events)
    return made


async def publish(publisher: Publisher, made: Sequence[Record]) -> None:
    """Until Kafka has every one: on a busy machine some are acknowledged too late, and then come twice."""
    for start in range(0, len(made), _AT_ONCE):
        waiting = list(made[start : start + _AT_ONCE])
        for _ in range(_TRIES):
            outcomes = await publisher.publish_all(waiting)
            waiting = [one for one, what in zip(waiting, outcomes, strict=True) if isinstance(what, Exception)]
            if not waiting:
                break
        else:
            raise RuntimeError("Kafka does not take the records")


def records(topic: Topic, orders: OrderBook) -> list[Record]:
    now = datetime.now(UTC)
    return [
        Record.accepted(
            topic.name, key=f"{store}:{event['data']['customer_id']}".encode(), value=orjson.dumps(event),
            store=store, event=event["type"], origin="shop", received_at=now,
        )
        for store, event in orders.events
    ]  # fmt: skip
