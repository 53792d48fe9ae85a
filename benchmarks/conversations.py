"""conversations_vs_bare: our consumer against the least that could be written, on the same Kafka and PostgreSQL.

Bare is aiokafka's getmany, orjson, one raw upsert a message and one transaction a batch: it keeps no facts, no figures,
no promise. Both read the same records, recorded bodies of new stores each round, with the collector as `wootstream run`
sets it; who comes first changes from round to round. The ratio is the median of the rounds' own, told with its spread.
`python -m benchmarks.conversations --json` ends with one object.
"""

import statistics
import uuid
from typing import Any

import asyncpg

from benchmarks._command import ROUNDS, command, sentence, spread
from benchmarks._conversations import BARE_TABLE, ConversationsBench
from benchmarks._latency import latency, long_against_short
from benchmarks._stack import open_stack
from db.migrate import migrate
from schemas.topics import Topic
from services.kernel import Settings
from services.kernel.run import CONSUMERS_COLLECT_AFTER, collect_seldom


async def measure(records: int, rounds: int) -> dict[str, Any]:
    """Alternate the two, then look at latency under half of what ours can do."""
    collect_seldom(CONSUMERS_COLLECT_AFTER)
    async with open_stack() as (stack, folder):
        await migrate(stack.database_url)
        settings = Settings(
            database_url=stack.database_url,
            kafka_bootstrap_servers=stack.kafka,
            http_port=0,
            data_directory=folder,
            log_level="warning",
        )
        async with asyncpg.create_pool(stack.database_url) as looks, looks.acquire() as admin:
            await admin.execute(BARE_TABLE)
            return await _rounds(ConversationsBench(settings, admin, looks), records, rounds)


async def _rounds(bench: ConversationsBench, records: int, rounds: int) -> dict[str, Any]:
    bare: list[float] = []
    ours: list[float] = []
    for number in range(rounds):
        topic = Topic(f"bench.{uuid.uuid4().hex[:8]}", 1, partitions=12)
        await bench.fill(topic, records)
        for kept, consume in ((bare, bench.bare), (ours, bench.ours))[:: -1 if number % 2 else 1]:
            kept.append(await consume(topic, records))
        print(f"bare {bare[-1]:,.0f} records/s   ours {ours[-1]:,.0f} records/s")
    ratios = [mine / theirs for mine, theirs in zip(ours, bare, strict=True)]
    print(f"conversations against bare: {sentence(ratios)}")
    rate = statistics.median(ours) / 2
    waits = sorted(await latency(bench, rate=rate, seconds=10))
    p50, p99 = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
    print(f"posted → row seen at {rate:,.0f} records/s: p50 {p50:.3f} s, p99 {p99:.3f} s ({len(waits)} probes)")
    longer = await long_against_short(bench)
    print(f"a message in a conversation of 5,000 costs {longer:.2f} times one in conversations of 50")
    return {
        "name": "conversations",
        "ratios": {
            "conversations_vs_bare": round(statistics.median(ratios), 3),
            "long_vs_short": round(longer, 3),
        },
        "figures": {
            "conversations_vs_bare": spread(ratios),
            "bare_records_per_second": spread(bare, digits=0),
            "ours_records_per_second": spread(ours, digits=0),
            "posted_to_row_p99_seconds": round(p99, 3),
        },
    }


if __name__ == "__main__":
    command(
        measure,
        "conversations against a bare consumer",
        amount="records",
        default=10_000,
        rounds=ROUNDS,
    )
