"""cpu_vs_go, cpu_vs_benthos: their processor time a webhook over ours, on the same Kafka, each in a process of its own.

`byhand` is net/http and franz-go with the same checks, key and headers; `benthos` is the engine of that name, its HTTP
input and its mapping language, with franz-go as its output. Load comes over 64 connections with recorded bodies, in
alternating rounds; then at half of our rate, for the p99. A peer that cannot be built here is skipped with a sentence.
`python -m benchmarks.peers --json` ends with one object.
"""

import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks._command import ROUNDS, command, spread
from benchmarks._ingress import (
    SKEW_SECONDS,
    LoadedServer,
    alternate,
    compared,
    environment_on,
    p99s,
    server,
    shop_on,
    started,
    webhooks,
)
from benchmarks._stack import open_stack
from benchmarks.peers.build import NotBuilt, built
from local.stack import Stack
from schemas.topics import WEBHOOKS
from tests.services.ingress.bench import Shop

# Name of the sources → of the ratio.
PEERS = {"byhand": "cpu_vs_go", "benthos": "cpu_vs_benthos"}


async def measure(count: int, rounds: int) -> dict[str, Any]:
    """All that can be built, side by side."""
    async with open_stack() as (stack, folder), AsyncExitStack() as running:
        shop = await shop_on(stack, folder)
        ours = await running.enter_async_context(server("ours", environment_on(stack, folder)))
        peers: list[LoadedServer] = []
        skipped: dict[str, str] = {}
        for name in PEERS:
            try:
                peers.append(await running.enter_async_context(_peer(name, stack, folder, shop)))
            except NotBuilt as why:
                print(f"{name} is skipped: {why}")
                skipped[name] = str(why)
        _, requests = webhooks(shop, count)
        figures = await _beside(ours, peers, requests, rounds) if peers else {}
        ratios = {PEERS[one.name]: figures[one.name]["cpu_ratio"]["median"] for one in peers}
        return {"name": "peers", "ratios": ratios, "figures": figures, "skipped": skipped}


@asynccontextmanager
async def _peer(name: str, stack: Stack, folder: Path, shop: Shop) -> AsyncIterator[LoadedServer]:
    """Raises NotBuilt."""
    environment = {
        "PEER_KAFKA": stack.kafka,
        "PEER_TOPIC": WEBHOOKS.name,
        "PEER_STORE": str(shop.id),
        "PEER_SLUG": shop.slug,
        "PEER_SECRET": shop.secret,
        "PEER_ACCOUNT": str(shop.account_id),
        "PEER_SKEW_SECONDS": str(SKEW_SECONDS),
    }
    program = await built(name, folder)
    async with started(name, (str(program),), environment) as peer:
        yield peer


async def _beside(
    ours: LoadedServer, peers: Sequence[LoadedServer], requests: Sequence[bytes], rounds: int
) -> dict[str, Any]:
    loaded = [(one, requests) for one in (ours, *peers)]
    await alternate(loaded, rounds)
    saturated = {one.name: compared(ours, one) for one in peers}
    waited = await p99s(loaded, statistics.median(ours.rates) / 2)
    shown = {
        one.name: {"p99_at_half_seconds": spread(seconds, 4), "megabytes": one.megabytes}
        for (one, _), seconds in zip(loaded, waited, strict=True)
    }
    return {name: saturated.get(name, {}) | more for name, more in shown.items()}


if __name__ == "__main__":
    command(measure, "our webhook door beside Go's", amount="requests", default=10_000, rounds=ROUNDS)
