"""What happens in the demo's shops until the time is up: recorded conversations, orders, visitors."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import httpx

from local.chatwoot.double import Double
from local.demo.shoppers import Customers
from local.demo.shops import DemoStore
from local.replay.pace import at_rate
from local.replay.recording import Delivery
from local.replay.replay import Moved
from local.replay.webhook_sender import WebhookSender
from services.kernel.clock import Clock

_CONNECTIONS = httpx.Limits(max_connections=32, max_keepalive_connections=32)
_VISITS_PER_SECOND = 1.0  # at each store


@dataclass(frozen=True, slots=True)
class Answers:
    """Statuses answered, 0 where none came: to the recorded webhooks, and to the shops and their visitors."""

    webhooks: Counter[int]
    shops: Counter[int]

    @property
    def refused(self) -> int:
        return sum(count for status, count in (self.webhooks + self.shops).items() if not 200 <= status < 300)


async def traffic(
    address: str,
    double: Double,
    stores: Sequence[DemoStore],
    *,
    seed: int,
    per_second: float | None,
    until: asyncio.Event,
    moved: Moved,
) -> Answers:
    """Send until then. Whatever happens, nobody goes on sending."""
    async with httpx.AsyncClient(base_url=address, limits=_CONNECTIONS, timeout=10) as client:
        sender = WebhookSender(client, {store.recorded.name: store.door for store in stores}, Clock())
        everybody = [Customers(client, double, store, seed=seed) for store in stores]

        async def send(delivery: Delivery) -> None:
            await sender.send(delivery)
            moved()

        async with asyncio.TaskGroup() as group:
            for customers in everybody:
                group.create_task(customers.live(visits_per_second=_VISITS_PER_SECOND, until=until))
            await at_rate(_by_turns(stores), send, per_second=per_second, until=until)
    return Answers(sender.answers, sum((one.answers for one in everybody), Counter()))


def _by_turns(stores: Sequence[DemoStore]) -> Iterator[Delivery]:
    """Every store's deliveries in their order, the stores by turns; over and over."""
    cycles = [itertools.cycle(store.deliveries) for store in stores]
    while True:
        yield from (next(cycle) for cycle in cycles)
