"""What the kernel costs: all but its SQL against bare aiokafka, and one insert with the ledger against one without.

kernel_vs_bare is in processor time of this process, for there is nothing to wait for: getmany and the decode, against
the same records through FastStream, the lock-and-filter and the accounting, with a connection that only remembers.
with_ledger_vs_without is in elapsed time on a real PostgreSQL, in a process that serves as under `wootstream run`, so
the rounds of positions count. Both are medians of the pairs' ratios, told with the least and the greatest, at several
batch sizes; the one that counts is 500.
`python -m benchmarks.kernel --json` ends with one object.
"""

import statistics
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks._command import command, sentence, spread
from benchmarks._kernel import KernelBench, open_bench
from benchmarks._stack import open_stack
from services.kernel.run import CONSUMERS_COLLECT_AFTER, collect_seldom

BATCHES = (50, 200, 500)

OneRun = Callable[[int], Awaitable[float]]


async def measure(records: int, rounds: int) -> dict[str, Any]:
    """Alternate each pair on the same topic, with the collector as `wootstream run` sets it, for both of a pair."""
    collect_seldom(CONSUMERS_COLLECT_AFTER)
    async with (
        open_stack() as (stack, folder),
        open_bench(stack.kafka, stack.database_url, folder, records) as bench,
    ):
        return await _pairs(bench, rounds)


async def _pairs(bench: KernelBench, rounds: int) -> dict[str, Any]:
    ratios: dict[str, float] = {}
    figures: dict[str, Any] = {}
    for batch in BATCHES:
        for name, (ours, other), unit in (
            ("kernel_vs_bare", (bench.kernel_without_sql, bench.bare), "processor"),
            ("with_ledger_vs_without", (bench.with_ledger, bench.without_ledger), "elapsed"),
        ):
            of_rounds, mine, theirs = await _alternate(ours, other, batch, rounds)
            print(
                f"{name} at batches of {batch}: {sentence(of_rounds)}, {mine:.1f} against {theirs:.1f} µs {unit} time"
            )
            short = name if batch == BATCHES[-1] else f"{name}_{batch}"
            ratios[short] = round(statistics.median(of_rounds), 3)
            figures[short] = spread(of_rounds)
            figures[f"{name}_{batch}_microseconds"] = [round(mine, 2), round(theirs, 2)]
    return {"name": "kernel", "ratios": ratios, "figures": figures}


async def _alternate(ours: OneRun, other: OneRun, batch: int, rounds: int) -> tuple[list[float], float, float]:
    mine, theirs = [], []
    for _ in range(rounds):
        theirs.append(await other(batch))
        mine.append(await ours(batch))
    # Of neighbours in time, for a machine's pace drifts by more than what is measured.
    ratios = [their / our for their, our in zip(theirs, mine, strict=True)]
    return ratios, statistics.median(mine), statistics.median(theirs)


if __name__ == "__main__":
    command(
        measure,
        "the kernel against bare aiokafka, and with its ledger against without",
        amount="records",
        default=30_000,
        rounds=9,
    )
