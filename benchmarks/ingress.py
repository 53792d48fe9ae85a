"""ingress_vs_bare: our doors against the least that could be written, on the same Kafka, each in a process of its own.

Bare reads the body and awaits the client's own acks=all send, with as many headers, the key and the compression of
ours; ours also verifies, limits, looks into the body, finds the key and counts, and gathers records into batches before
the client sees them. Load comes over 64 connections, with recorded bodies. A ratio is the worse of two: of throughput,
and of the process's CPU a request, each the median of neighbouring rounds. Beacons count in events, ten in a POST.
`python -m benchmarks.ingress --json` ends with one object.
"""

import statistics
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks._command import command
from benchmarks._ingress import EVENTS, LoadedServer, beacons, server, webhooks
from benchmarks._load import waits
from benchmarks._stack import open_stack
from db.migrate import migrate
from db.pool import use_json
from local.stack import Stack
from services.kernel import Settings
from services.kernel.kafka.topics import ensure_topics
from tests.services.ingress.bench import Shop, open_shop

_MUCH = "1000000000"
_HALF_LOAD_SECONDS, _HALF_LOAD_TURNS = 4, 5


async def measure(count: int, rounds: int) -> dict[str, Any]:
    """Both servers side by side."""
    async with open_stack() as (stack, folder):
        shop = await _shop(stack, folder)
        environment = _environment(stack, folder)
        async with server("bare", environment) as bare, server("ours", environment) as ours:
            return await _compare(bare, ours, shop, count, rounds)


async def _shop(stack: Stack, folder: Path) -> Shop:
    await migrate(stack.database_url)
    settings = Settings(database_url=stack.database_url, kafka_bootstrap_servers=stack.kafka, data_directory=folder)
    await ensure_topics(settings)
    async with asyncpg.create_pool(stack.database_url, min_size=0, max_size=1, init=use_json) as admin:
        return await open_shop(admin, settings)


def _environment(stack: Stack, folder: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": stack.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": stack.kafka,
        "WOOTSTREAM_DATA_DIRECTORY": str(folder),
        "WOOTSTREAM_HTTP_PORT": "0",
        "WOOTSTREAM_BEACONS_PER_MINUTE": _MUCH,
        "WOOTSTREAM_BEACONS_PER_MINUTE_NETWORK": _MUCH,
        "WOOTSTREAM_BEACONS_PER_MINUTE_STORE": _MUCH,
        "WOOTSTREAM_WEBHOOK_SKEW_SECONDS": "3600",
    }


async def _compare(bare: LoadedServer, ours: LoadedServer, shop: Shop, count: int, rounds: int) -> dict[str, Any]:
    for_bare, for_ours = webhooks(shop, count)
    figures = await _alternate((bare, for_bare), (ours, for_ours), rounds)
    rate = figures["ours_per_second"] / 2
    p99_bare, p99_ours = await _p99s((bare, for_bare), (ours, for_ours), rate)
    print(f"p99 at {rate:,.0f} requests/s: bare {p99_bare * 1000:.1f} ms, ours {p99_ours * 1000:.1f} ms")
    for_bare, for_ours = await beacons(ours.address, shop, count // 2)
    of_beacons = await _alternate((bare, for_bare), (ours, for_ours), rounds)
    return {
        "name": "ingress",
        "ratios": {
            "ingress_vs_bare": min(figures["throughput_ratio"], figures["cpu_ratio"]),
            "p99_vs_bare_at_half": round(p99_ours / p99_bare, 3),
            "beacon_events_vs_bare": min(of_beacons["throughput_ratio"], of_beacons["cpu_ratio"]),
        },
        "figures": {
            **{f"webhooks_{name}": value for name, value in figures.items()},
            **{f"beacons_{name}": value for name, value in of_beacons.items()},
            "beacon_events_per_second": of_beacons["ours_per_second"] * EVENTS,
            "p99_at_half_seconds": round(p99_ours, 4),
        },
    }


async def _alternate(
    bare: tuple[LoadedServer, list[bytes]], ours: tuple[LoadedServer, list[bytes]], rounds: int
) -> dict[str, float]:
    """Rounds in turn; the first warms connections, caches and Kafka, and does not count."""
    for number in range(rounds + 1):
        for one, requests in (bare, ours) if number % 2 else (ours, bare):
            if number <= 1:
                one.rates, one.cpu = [], []
            await one.round(requests)
        paces = [f"{one.rates[-1]:,.0f}/s {one.cpu[-1] * 1e6:.0f} µs" for one, _ in (bare, ours)]
        print(f"bare {paces[0]}   ours {paces[1]}")
    rates = [statistics.median(one.rates) for one, _ in (bare, ours)]
    cpu = [statistics.median(one.cpu) for one, _ in (bare, ours)]
    return {
        "throughput_ratio": _of_neighbours(ours[0].rates, bare[0].rates),
        "cpu_ratio": _of_neighbours(bare[0].cpu, ours[0].cpu),
        "bare_per_second": round(rates[0]),
        "ours_per_second": round(rates[1]),
        "bare_cpu_microseconds": round(cpu[0] * 1e6, 1),
        "ours_cpu_microseconds": round(cpu[1] * 1e6, 1),
    }


def _of_neighbours(ones: list[float], others: list[float]) -> float:
    """The median of the rounds' ratios, for a machine's pace drifts by more than what is measured."""
    return round(statistics.median(one / other for one, other in zip(ones, others, strict=True)), 3)


async def _p99s(
    bare: tuple[LoadedServer, list[bytes]], ours: tuple[LoadedServer, list[bytes]], rate: float
) -> tuple[float, float]:
    """Medians of several turns: one hiccup of the machine is a p99 of its own."""
    turns = [(await _p99(*bare, rate), await _p99(*ours, rate)) for _ in range(_HALF_LOAD_TURNS)]
    of_bare, of_ours = zip(*turns, strict=True)
    return statistics.median(of_bare), statistics.median(of_ours)


async def _p99(one: LoadedServer, requests: list[bytes], rate: float) -> float:
    many = requests * (int(rate * _HALF_LOAD_SECONDS) // len(requests) + 1)
    found = await waits(one.address, many[: int(rate * _HALF_LOAD_SECONDS)], rate=rate)
    return found[int(len(found) * 0.99)]


if __name__ == "__main__":
    command(
        measure,
        "the doors against a bare ASGI application",
        amount="requests",
        default=10_000,
        rounds=4,
    )
