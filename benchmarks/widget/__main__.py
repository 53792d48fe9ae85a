"""Widget events from the topic into rows and daily counts: against the same SQL from memory, COPY, and Quix Streams.

widget_vs_memory: the service against its own statement, fed with rows that lie ready. widget_vs_copy: against plain
COPY into the same table with the same indexes, which neither counts nor knows a repeat. widget_vs_quix: against Quix
Streams' PostgreSQL sink on the same topic, which is fetched into an environment of its own when it is first asked for.
copy_vs_arrays says why many rows go by COPY into a table of the session. Medians of the rounds' ratios; events a
second. `python -m benchmarks.widget --json` ends with one object.
"""

import asyncio
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson

from benchmarks._command import ROUNDS, command, sentence
from benchmarks._stack import open_stack
from benchmarks.widget.bench import WidgetBench, open_bench
from services.kernel.run import collect_seldom

_QUIX = "quixstreams[postgresql]==3.28.1"
_ROOT = Path(__file__).parents[2]
_PROGRAM = Path(__file__).with_name("quix_sink.py")
_LAG_SECONDS = 10.0


async def measure(events: int, rounds: int) -> dict[str, Any]:
    """Alternate them on the same topic and the same rows."""
    collect_seldom()
    async with (
        open_stack() as (stack, folder),
        open_bench(stack.kafka, stack.database_url, folder, events) as bench,
    ):
        print(f"{events} events, {events / len(bench.batches):.0f} in a batch of 500 records")
        figures, processor = await _rounds(bench, rounds)
        lags = await bench.lags(statistics.median(figures["ours"]) / 2, _LAG_SECONDS)
        figures["quix"] = [await _quix(bench) for _ in range(min(rounds, 2))]
    pairs = {f"widget_vs_{name}": ("ours", name) for name in ("memory", "copy", "quix")} | {
        "copy_vs_arrays": ("memory", "arrays")
    }
    ratios = {name: _ratio(name, figures[one], figures[other]) for name, (one, other) in pairs.items()}
    medians = {name: round(statistics.median(found)) for name, found in figures.items()}
    for name, value in medians.items():
        print(f"{name}, events a second: {value}")
    more = {
        "processor_seconds_a_million": round(statistics.median(processor) * 1e6, 1),
        "lag_p50_seconds": round(lags[len(lags) // 2], 3),
        "lag_p99_seconds": round(lags[len(lags) * 99 // 100], 3),
    }
    print("\n".join(f"{name}: {value}" for name, value in more.items()))
    return {"name": "widget", "ratios": ratios, "figures": {"events_a_second": medians, **more}}


async def _rounds(bench: WidgetBench, rounds: int) -> tuple[dict[str, list[float]], list[float]]:
    figures, processor = defaultdict[str, list[float]](list), list[float]()
    runs = [
        *(("memory", bench.from_memory), ("ours", bench.ours)),
        *(("copy", bench.by_copy), ("arrays", bench.by_arrays)),
    ]
    for _ in range(rounds):
        for name, run in runs:
            figures[name].append(await run())
        processor.append(bench.processor_seconds_an_event)
        runs.reverse()  # who comes first has a table and a log of another age
    return figures, processor


def _ratio(name: str, ours: list[float], theirs: list[float]) -> float:
    """The median of the rounds' ratios; prints it with the least and the greatest."""
    each = [mine / other for mine, other in zip(ours, theirs, strict=False)]
    print(f"{name}: {sentence(each)}")
    return round(statistics.median(each), 3)


async def _quix(bench: WidgetBench) -> float:
    """Events a second of Quix Streams, in its own environment and process."""
    await bench.emptied()
    place = _ROOT / ".local" / "benchmarks" / "quix"
    python = place / "bin" / "python"
    if not python.exists():
        await _run(sys.executable, "-m", "venv", str(place))
        await _run(str(python), "-m", "pip", "install", "--quiet", _QUIX)
    asked = {
        "kafka": bench.settings.kafka_bootstrap_servers, "topic": bench.topic.name, "events": bench.events,
        "database": bench.database,
    }  # fmt: skip
    return float((await _run(str(python), str(_PROGRAM), orjson.dumps(asked).decode())).split()[-1])


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd="/")
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    return output.decode()


if __name__ == "__main__":
    about = "widget events into PostgreSQL, beside COPY and Quix Streams"
    command(measure, about, amount="events", default=60_000, rounds=ROUNDS)
