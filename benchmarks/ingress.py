"""ingress_vs_bare: our doors against the least that could be written, on the same Kafka, each in a process of its own.

Bare reads the body and awaits the client's own acks=all send, with as many headers, the key and the compression of
ours; ours also verifies, limits, looks into the body, finds the key and counts, and gathers records into batches before
the client sees them. Load comes over 64 connections, with recorded bodies. A ratio is the worse of two: of throughput,
and of the process's CPU a request, each the median of neighbouring rounds, told with the least and the greatest.
Beacons count in events, ten in a POST.
`python -m benchmarks.ingress --json` ends with one object.
"""

import statistics
from typing import Any

from benchmarks._command import ROUNDS, command, sentence, spread
from benchmarks._ingress import (
    EVENTS,
    LoadedServer,
    alternate,
    beacons,
    compared,
    environment_on,
    p99s,
    ratios,
    server,
    shop_on,
    webhooks,
)
from benchmarks._stack import open_stack
from tests.services.ingress.bench import Shop


async def measure(count: int, rounds: int) -> dict[str, Any]:
    """Both servers side by side."""
    async with open_stack() as (stack, folder):
        shop, environment = await shop_on(stack, folder), environment_on(stack, folder)
        async with server("bare", environment) as bare, server("ours", environment) as ours:
            return await _compare(bare, ours, shop, count, rounds)


async def _compare(bare: LoadedServer, ours: LoadedServer, shop: Shop, count: int, rounds: int) -> dict[str, Any]:
    for_bare, for_ours = webhooks(shop, count)
    pair = ((bare, for_bare), (ours, for_ours))
    await alternate(pair, rounds)
    of_webhooks = compared(ours, bare)
    waited_bare, waited_ours = await p99s(pair, statistics.median(ours.rates) / 2)
    waited = ratios(waited_ours, waited_bare)
    print(f"p99 at half load, ours over bare: {sentence(waited)}")
    for_bare, for_ours = await beacons(ours.address, shop, count // 2)
    await alternate(((bare, for_bare), (ours, for_ours)), rounds)
    of_beacons = compared(ours, bare)
    return {
        "name": "ingress",
        "ratios": {
            "ingress_vs_bare": _worse(of_webhooks),
            "p99_vs_bare_at_half": spread(waited)["median"],
            "beacon_events_vs_bare": _worse(of_beacons),
        },
        "figures": {
            **{f"webhooks_{name}": value for name, value in of_webhooks.items()},
            **{f"beacons_{name}": value for name, value in of_beacons.items()},
            "beacon_events_per_second": of_beacons["ours_per_second"]["median"] * EVENTS,
            "p99_ratio_at_half": spread(waited),
            "bare_p99_at_half_seconds": spread(waited_bare, 4),
            "p99_at_half_seconds": spread(waited_ours, 4),
        },
    }


def _worse(figures: dict[str, Any]) -> float:
    return min(float(figures[name]["median"]) for name in ("throughput_ratio", "cpu_ratio"))


if __name__ == "__main__":
    command(
        measure,
        "the doors against a bare ASGI application",
        amount="requests",
        default=10_000,
        rounds=ROUNDS,
    )
