"""What 10,000 erased people of a store cost whoever reads its records: the kernel with them against it without.

`live` are records received after the last of them was erased, as nearly all are: one look at the store's latest moment
a batch. `replayed` were received before, so each is hashed and looked for, and none is theirs. In processor time of
this process, that of PostgreSQL not counted, and elapsed; in each round between two runs without anybody erased, whose
mean they are held against. `nothing` is the second of these two against the first: how far a ratio strays of itself.
`python -m benchmarks.forgotten --json` ends with one object.
"""

import statistics
import time
import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

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
_MOMENTS = {"live": timedelta(days=-1), "replayed": timedelta(days=1)}
_AGAINST = dict.fromkeys(_MOMENTS, "without") | {"nothing": "first"}
_ERASE = """
insert into wootstream.erased_subjects (organization_id, digest, received_before, request_id)
select $1, decode(md5(number::text), 'hex'), $2, $1 from generate_series(1, $3) number
"""
_FORGET = "delete from wootstream.erased_subjects where organization_id = $1"
# As autovacuum does in its time: what one run deleted is no burden of the next one's, and plans know what is there.
_CLEAR = "vacuum analyze wootstream.erased_subjects"


class _Times(NamedTuple):
    """µs a record."""

    processor: float
    elapsed: float


async def measure(records: int, rounds: int) -> dict[str, Any]:
    """Each round without anybody erased, with live records and with older ones, in turns, and without again."""
    collect_seldom(CONSUMERS_COLLECT_AFTER)
    async with (
        open_stack() as (stack, folder),
        open_bench(stack.kafka, stack.database_url, folder, records) as bench,
    ):
        admin = await asyncpg.connect(stack.database_url)
        try:
            found = [await _round(bench, admin, [*_MOMENTS] if number % 2 else [*_MOMENTS][::-1])
                     for number in range(rounds)]  # fmt: skip
        finally:
            await admin.close()
    ratios = {name if clock == "processor" else f"{name}_elapsed":
              [getattr(one[other], clock) / getattr(one[name], clock) for one in found]
              for clock in _Times._fields for name, other in _AGAINST.items()}  # fmt: skip
    for name, of_rounds in ratios.items():
        print(f"{_ERASED:,} erased people, {name}: {sentence(of_rounds)} of the throughput without")
    # Other work only adds: the least of many short runs is what the code costs.
    least = {name: min(one[name].processor for one in found) for name in ("first", "nothing", *_MOMENTS)}
    for name in _MOMENTS:
        print(f"{name}, the least times of all: {min(least['first'], least['nothing']) / least[name]:.2f}")
    processor = {name: statistics.median(one[name].processor for one in found) for name in found[0]}
    return {
        "name": "forgotten",
        "ratios": {name: round(statistics.median(one), 3) for name, one in ratios.items()},
        "figures": {name: spread(one) for name, one in ratios.items()}
        | {
            "microseconds": {name: round(one, 2) for name, one in processor.items()},
            "least_microseconds": {name: round(one, 2) for name, one in least.items()},
        },
    }


async def _round(bench: KernelBench, admin: Any, order: Sequence[str]) -> dict[str, _Times]:
    before, times = await _times(bench), dict[str, _Times]()
    for name in order:
        await admin.execute(_ERASE, bench.store, datetime.now(UTC) + _MOMENTS[name], _ERASED)
        await admin.execute(_CLEAR)
        times[name] = await _times(bench)
        await admin.execute(_FORGET, bench.store)
        await admin.execute(_CLEAR)
    after = await _times(bench)
    without = _Times(*map(statistics.mean, zip(before, after, strict=True)))
    return times | {"first": before, "nothing": after, "without": without}


async def _times(bench: KernelBench) -> _Times:
    """Of a record, with whom each is about."""
    stretches = [Stretch(bench.records, clock) for clock in (time.process_time, time.perf_counter)]

    async def apply(conn: Connection, events: Sequence[BenchEvent]) -> Collection[Record]:
        news = await keep(conn, events)
        for one in stretches:
            one.passed(len(events))
        return news

    process = Process(bench.settings.model_copy(update={"batch_records": _BATCH}))
    group = f"bench-{uuid.uuid4().hex[:10]}"
    consume(process, bench.topic, group=group, read=read, apply=apply, subjects=_subjects)
    await bench.served(process, stretches[-1])
    return _Times(*(one.microseconds for one in stretches))


def _subjects(event: BenchEvent) -> Iterable[Subject]:
    """As many names as a conversation's webhook bears."""
    number = event.body.get("id", 0)
    return subjects_named(conversations=[number], contacts=[number])


if __name__ == "__main__":
    command(
        measure, "the kernel with erased people against the kernel without", amount="records", default=60_000, rounds=9
    )
