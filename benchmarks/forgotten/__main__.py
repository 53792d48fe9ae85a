"""What 10,000 erased people of a store cost whoever reads its records: the kernel with them against it without.

`live` are a store's records that were received after the last of them was erased, as nearly all are: one look at the
store's latest moment a batch. `replayed` were received before, so each is hashed and looked for, and none is theirs.
Each is held against the mean of two stores without anybody erased, in processor time of this process, that of
PostgreSQL not counted, and elapsed. `nothing` is the second of these two against the first: how far a ratio strays of
itself. The four have their turns in one topic, each with the same webhooks and of a tenth of a second, so that what
else happens on a machine meets them alike.
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
_STORES = ("first", "live", "nothing", "replayed")
_AGAINST = {"live": "without", "replayed": "without", "nothing": "first"}
_MOMENTS = {"live": timedelta(days=-1), "replayed": timedelta(days=1)}
_ERASE = """
insert into wootstream.erased_subjects (organization_id, digest, received_before, request_id)
select $1, decode(md5(number::text), 'hex'), $2, $1 from generate_series(1, $3) number
"""


class _Times(NamedTuple):
    """µs a record."""

    processor: float
    elapsed: float


class _Turns:
    """The times of each store's batches, but for the first of a turn: it was begun beside the other store's last."""

    def __init__(self) -> None:
        self._of: set[uuid.UUID] = set()
        self._at = (0.0, 0.0)
        self._spent: dict[uuid.UUID, list[tuple[float, float, int]]] = {}

    def passed(self, of: set[uuid.UUID], count: int) -> None:
        now = time.process_time(), time.perf_counter()
        if of == self._of and len(of) == 1:
            spent = now[0] - self._at[0], now[1] - self._at[1], count
            self._spent.setdefault(min(of), []).append(spent)
        self._of, self._at = of, now

    def times(self, store: uuid.UUID) -> _Times:
        processor, elapsed, count = map(sum, zip(*self._spent[store], strict=True))
        return _Times(processor / count * 1e6, elapsed / count * 1e6)


async def measure(records: int, rounds: int) -> dict[str, Any]:
    """Each round reads all of the topic anew."""
    collect_seldom(CONSUMERS_COLLECT_AFTER)
    async with (
        open_stack() as (stack, folder),
        open_bench(
            stack.kafka,
            stack.database_url,
            folder,
            records,
            stores=len(_STORES),
            partitions=1,  # one after the other
        ) as bench,
    ):
        await _erase(stack.database_url, dict(zip(_STORES, bench.stores, strict=True)))
        found = [await _round(bench) for _ in range(rounds)]
    ratios = {name if clock == "processor" else f"{name}_elapsed":
              [getattr(one[other], clock) / getattr(one[name], clock) for one in found]
              for clock in _Times._fields for name, other in _AGAINST.items()}  # fmt: skip
    for name, of_rounds in ratios.items():
        print(f"{_ERASED:,} erased people, {name}: {sentence(of_rounds)} of the throughput without")
    processor = {name: statistics.median(one[name].processor for one in found) for name in found[0]}
    return {
        "name": "forgotten",
        "ratios": {name: round(statistics.median(one), 3) for name, one in ratios.items()},
        "figures": {name: spread(one) for name, one in ratios.items()}
        | {"microseconds": {name: round(one, 2) for name, one in processor.items()}},
    }


async def _erase(database_url: str, stores: dict[str, uuid.UUID]) -> None:
    admin = await asyncpg.connect(database_url)
    for name, ago in _MOMENTS.items():
        await admin.execute(_ERASE, stores[name], datetime.now(UTC) + ago, _ERASED)
    await admin.execute("analyze wootstream.erased_subjects")  # as autovacuum does in its time
    await admin.close()


async def _round(bench: KernelBench) -> dict[str, _Times]:
    stretch, turns = Stretch(bench.records, time.perf_counter), _Turns()

    async def apply(conn: Connection, events: Sequence[BenchEvent]) -> Collection[Record]:
        news = await keep(conn, events)
        turns.passed({event.record.store for event in events}, len(events))
        stretch.passed(len(events))
        return news

    process = Process(bench.settings.model_copy(update={"batch_records": _BATCH}))
    group = f"bench-{uuid.uuid4().hex[:10]}"
    consume(process, bench.topic, group=group, read=read, apply=apply, subjects=_subjects)
    await bench.served(process, stretch)
    times = {name: turns.times(store) for name, store in zip(_STORES, bench.stores, strict=True)}
    without = _Times(*map(statistics.mean, zip(times["first"], times["nothing"], strict=True)))
    return times | {"without": without}


def _subjects(event: BenchEvent) -> Iterable[Subject]:
    """As many names as a conversation's webhook bears."""
    number = event.body.get("id", 0)
    return subjects_named(conversations=[number], contacts=[number])


if __name__ == "__main__":
    command(
        measure, "the kernel with erased people against the kernel without", amount="records", default=60_000, rounds=15
    )
