"""What 10,000 erased people of a store cost whoever reads its records: the kernel with them against it without.

`live` are records received after the last of them was erased, as nearly all are: one look at the store's latest moment
a batch. `replayed` were received before, so each is hashed and looked for, and none is theirs. In processor time of
this process, that of PostgreSQL not counted; medians of neighbours' ratios. `python -m benchmarks.forgotten --json`
ends with one object.
"""

import statistics
import time
import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from benchmarks._command import command, sentence, spread
from benchmarks._kernel import BenchEvent, KernelBench, Stretch, keep, open_bench, read
from benchmarks._stack import open_stack
from db.pool import Connection
from services.kernel import Process, Record, consume
from services.kernel.forgetting.subjects import Subject, subjects_named
from services.kernel.run import CONSUMERS_COLLECT_AFTER, collect_seldom

_BATCH = 500
_ERASED = 10_000
_ERASE = """
insert into wootstream.erased_subjects (organization_id, digest, received_before, request_id)
select $1, decode(md5(number::text), 'hex'), $2, $1 from generate_series(1, $3) number
"""
_FORGET = "delete from wootstream.erased_subjects where organization_id = $1"


async def measure(records: int, rounds: int) -> dict[str, Any]:
    """Each round once without anybody erased, once with, and once with records that are older than that."""
    collect_seldom(CONSUMERS_COLLECT_AFTER)
    async with (
        open_stack() as (stack, folder),
        open_bench(stack.kafka, stack.database_url, folder, records) as bench,
    ):
        admin = await asyncpg.connect(stack.database_url)
        try:
            return await _alternate(bench, admin, rounds)
        finally:
            await admin.close()


async def _alternate(bench: KernelBench, admin: Any, rounds: int) -> dict[str, Any]:
    moments = {"live": timedelta(days=-1), "replayed": timedelta(days=1)}
    ratios: dict[str, list[float]] = {name: [] for name in moments}
    for _ in range(rounds):
        without = await _microseconds(bench)
        for name, since in moments.items():
            await admin.execute(_ERASE, bench.store, datetime.now(UTC) + since, _ERASED)
            ratios[name].append(without / await _microseconds(bench))
            await admin.execute(_FORGET, bench.store)
    for name, of_rounds in ratios.items():
        print(f"{_ERASED:,} erased people, {name} records: {sentence(of_rounds)} of the throughput without")
    return {
        "name": "forgotten",
        "ratios": {name: round(statistics.median(one), 3) for name, one in ratios.items()},
        "figures": {name: spread(one) for name, one in ratios.items()},
    }


async def _microseconds(bench: KernelBench) -> float:
    """Of processor time a record, with whom each is about."""
    stretch = Stretch(bench.records, time.process_time)

    async def apply(conn: Connection, events: Sequence[BenchEvent]) -> Collection[Record]:
        news = await keep(conn, events)
        stretch.passed(len(events))
        return news

    process = Process(bench.settings.model_copy(update={"batch_records": _BATCH}))
    group = f"bench-{uuid.uuid4().hex[:10]}"
    consume(process, bench.topic, group=group, read=read, apply=apply, subjects=_subjects)
    return await bench.served(process, stretch)


def _subjects(event: BenchEvent) -> Iterable[Subject]:
    """As many names as a conversation's webhook bears."""
    number = event.body.get("id", 0)
    return subjects_named(conversations=[number], contacts=[number])


if __name__ == "__main__":
    command(
        measure, "the kernel with erased people against the kernel without", amount="records", default=20_000, rounds=5
    )
