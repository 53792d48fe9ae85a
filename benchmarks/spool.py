"""spool_vs_direct and drain_vs_producer: what an outage of Kafka costs, against the same work without one.

Direct and spool keep the same recorded webhooks from as many senders, each of which waits until its record is durable:
on the one side acks=all, on the other an fsync. Draining is held against the client alone, which sends records that
already lie in memory, with the same key, headers and compression, as many at a time.
`python -m benchmarks.spool --json` ends with one object.
"""

import statistics
import uuid
from collections.abc import Iterable
from typing import Any

from benchmarks._command import command
from benchmarks._spool import SpoolRound
from benchmarks._stack import open_stack
from schemas.topics import Topic
from services.kernel import Settings
from services.kernel.kafka.topics import ensure_topics
from services.kernel.telemetry.logs import configure_logs


async def measure(count: int, rounds: int) -> dict[str, Any]:
    """As many rounds, the medians of their ratios."""
    seen: list[dict[str, float]] = []
    async with open_stack() as (stack, folder):
        settings = Settings(kafka_bootstrap_servers=stack.kafka, data_directory=folder, log_level="warning")
        for _ in range(rounds):
            topic = Topic(f"bench.{uuid.uuid4().hex[:8]}", 1)
            await ensure_topics(settings, [topic])
            seen.append(await SpoolRound(settings, topic, count).measure())
            print("   ".join(f"{name} {rate:,.0f}/s" for name, rate in seen[-1].items()), flush=True)
    return {
        "name": "spool",
        "ratios": {
            "spool_vs_direct": _median(one["spool"] / one["direct"] for one in seen),
            "drain_vs_producer": _median(one["drain"] / one["producer"] for one in seen),
        },
        "figures": {f"{name}_records_per_second": round(_median(one[name] for one in seen)) for name in seen[0]},
    }


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 3)


if __name__ == "__main__":
    configure_logs("error", "console")
    command(
        measure,
        "what an outage of Kafka costs",
        amount="records",
        default=20_000,
        rounds=5,
    )
