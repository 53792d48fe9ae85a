"""What happens in the demo's shops until the time is up: recorded conversations, orders, visitors."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

import httpx

from demo.pace import at_rate
from demo.recording import Delivery
from demo.replay import Moved
from demo.shops import DemoStore
from demo.webhooks import WebhookSender
from services.kernel.clock import Clock

_CONNECTIONS = httpx.Limits(max_connections=32, max_keepalive_connections=32)


async def traffic(
    address: str, stores: Sequence[DemoStore], *, per_second: float | None, until: asyncio.Event, moved: Moved
) -> Counter[int]:
    """Send until then; answers the webhooks' statuses, 0 for none."""
    async with httpx.AsyncClient(base_url=address, limits=_CONNECTIONS, timeout=10) as client:
        sender = WebhookSender(client, {store.recorded.name: store.door for store in stores}, Clock())

        async def send(delivery: Delivery) -> None:
            await sender.send(delivery)
            moved()

        await at_rate(_by_turns(stores), send, per_second=per_second, until=until)
    return sender.answers


def _by_turns(stores: Sequence[DemoStore]) -> Iterator[Delivery]:
    """Every store's deliveries in their order, the stores by turns; over and over."""
    cycles = [itertools.cycle(store.deliveries) for store in stores]
    while True:
        yield from (next(cycle) for cycle in cycles)
