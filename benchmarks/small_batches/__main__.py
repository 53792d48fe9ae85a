"""Where the kernel's processor time goes at 50 records a batch: neither Kafka nor PostgreSQL, records from memory.

`own` is what is left of a batch without the decoding of its bodies, which bare aiokafka has to do as well. Then a
profile: in another run the stack is looked at some hundred times a second of processor time, so nothing is measured by
what it is measured with; time in libraries and in the interpreter counts for the function of ours that is in them.
`python -m benchmarks.small_batches --json` ends with one object.
"""

import itertools
import signal
import statistics
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import orjson
from aiokafka.structs import ConsumerRecord

from benchmarks._command import command, spread
from benchmarks._kernel import BenchEvent, Remembering, WithoutSql, read, webhook_record
from db.pool import Connection
from services.kernel import Record, Settings
from services.kernel.consuming.consume import Consumption
from services.kernel.consuming.offer import Subscription
from services.kernel.forgetting.sieve import About, nobody
from services.kernel.forgetting.subjects import Pseudonyms
from services.kernel.run import CONSUMERS_COLLECT_AFTER, collect_seldom
from tests.recordings.recorded import RUNS, account_webhooks

_BATCH = 50
_TOPIC, _GROUP = "small.batches", "bench"
_PROFILED_RUNS = 10
_LOOK_SECONDS = 0.002
_SHOWN = 16
_NOTHING = nullcontext()
_ROOT = str(Path(__file__).parents[2])
_LIBRARIES = f"{_ROOT}/.venv"


class _Fetches:
    """FastStream's subscriber, as far as a consumption asks it: batches that were fetched already."""

    running, consumer = True, object()

    def __init__(self, records: Sequence[Any]) -> None:
        self._batches = _batched(records)

    async def get_msg(self, _consumer: object) -> Sequence[Any]:
        return next(self._batches, ())


def _batched(records: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (records[at : at + _BATCH] for at in range(0, len(records), _BATCH))


async def measure(records: int, rounds: int) -> dict[str, Any]:
    """µs a batch, and by function of ours."""
    collect_seldom(CONSUMERS_COLLECT_AFTER)
    fetched, batches = _fetched(records), records / _BATCH
    whole, decoding = [], []
    for _ in range(rounds):
        whole.append(await _consumed(fetched) / batches)
        decoding.append(_decoded(fetched) / batches)
    own = [one - other for one, other in zip(whole, decoding, strict=True)]
    looks: Counter[str] = Counter()
    for _ in range(_PROFILED_RUNS):
        await _consumed(fetched, _looking(looks))
    profile = {name: looks[name] / looks.total() * statistics.median(whole) for name, _ in looks.most_common(_SHOWN)}
    print(
        f"{_BATCH} records a batch: {statistics.median(whole):.0f} µs, {statistics.median(own):.0f} without the bodies"
    )
    for name, microseconds in profile.items():
        print(f"{microseconds:7.1f} µs  {name}")
    return {
        "name": "small batches",
        "microseconds": {"batch": spread(whole, 1), "own": spread(own, 1)},
        "profile": {name: round(one, 1) for name, one in profile.items()},
    }


def _fetched(records: int) -> list[Any]:
    store, bodies = uuid.uuid4(), itertools.cycle(one for run in RUNS for one in account_webhooks(run))
    made = (webhook_record(_TOPIC, store, next(bodies)) for _ in range(records))
    return [
        ConsumerRecord(_TOPIC, 0, at, 0, 0, one.key, one.value, None, 0, 0, one.headers) for at, one in enumerate(made)
    ]


async def _consumed(fetched: Sequence[Any], around: AbstractContextManager[None] = _NOTHING) -> float:
    """µs of all of it."""
    with tempfile.TemporaryDirectory() as folder:
        process = WithoutSql(
            Settings.model_validate({"data_directory": folder, "http_port": 0, "batch_records": _BATCH}), Remembering(1)
        )
    about: About[BenchEvent] = About(Pseudonyms(process.secrets), nobody)
    consumption = Consumption(process, Subscription(_GROUP, _TOPIC, read, _apply, about, process.opener))
    fetches = _Fetches(fetched)
    consumption._subscriber = fetches
    with around:
        began = time.process_time()
        await consumption.handle(await fetches.get_msg(None))
        spent = (time.process_time() - began) * 1e6
    await process.close()
    return spent


async def _apply(_conn: Connection, events: Sequence[BenchEvent]) -> Collection[Record]:
    return [event.record for event in events]


def _decoded(fetched: Sequence[Any]) -> float:
    began = time.process_time()
    for batch in _batched(fetched):
        _events = [orjson.loads(one.value) for one in batch]
    return (time.process_time() - began) * 1e6


@contextmanager
def _looking(looks: Counter[str]) -> Iterator[None]:
    def look(_signal: int, frame: FrameType | None) -> None:
        while frame and not _is_ours(frame):
            frame = frame.f_back
        if frame:
            where = frame.f_code.co_filename.removeprefix(f"{_ROOT}/")
            looks[f"{where} {frame.f_code.co_qualname}"] += 1

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, _LOOK_SECONDS, _LOOK_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _is_ours(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    return name.startswith(_ROOT) and not name.startswith(_LIBRARIES)


if __name__ == "__main__":
    command(
        measure, "the kernel's own time a small batch, and where it goes", amount="records", default=20_000, rounds=9
    )
