"""The disk under the spool hangs, as in an fsync that does not return: every wait is bounded, and so is the memory; or
others fill it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from services.ingress import app
from services.ingress.spool.shelf import Full, Shelf
from services.ingress.spool.spool import Spool
from services.kernel import Clock, Process
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.services.ingress.spool.bench import Bench
from tests.services.ingress.spool.shelf_bench import opened, put, record, waiting
from tests.services.ingress.spool.small_disk import fill, give_back, mounted

_SOON = 0.05
_KIBIBYTE = 1024


class HangingShelf(Shelf):
    """Its disk hangs while `answers` is clear."""

    answers, reached = threading.Event(), threading.Event()

    def write(self, accepted_at: float, frames: Sequence[bytes]) -> None:
        self.reached.set()
        self.answers.wait()
        super().write(accepted_at, frames)


class Ahead(Clock):
    """A clock to be moved on."""

    seconds = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.seconds


@pytest.fixture
def clock() -> Ahead:
    return Ahead()


@pytest.fixture
async def hanging(tmp_path: Path, clock: Ahead) -> AsyncIterator[Spool]:
    HangingShelf.answers.clear()
    HangingShelf.reached.clear()
    async with opened(tmp_path, shelf_of=HangingShelf, clock=clock) as spool:
        try:
            yield spool
        finally:
            HangingShelf.answers.set()


async def test_who_waits_for_a_disk_that_hangs_is_refused_and_not_kept_when_it_answers(
    hanging: Spool, clock: Ahead
) -> None:
    begun = asyncio.ensure_future(put(hanging, [record(b"first")]))
    await eventually(HangingShelf.reached.is_set)
    with pytest.raises(Full, match="the disk does not answer"):
        await hanging.put(record(b"late"), _SOON)
    clock.seconds = 10.0
    with pytest.raises(Full, match="the disk does not answer"):
        await hanging.put(record(b"not even waited for"), PATIENCE_SECONDS)
    assert hanging.fault() == "the spool takes no more (the disk does not answer)"

    HangingShelf.answers.set()
    await begun
    await put(hanging, [record(b"last")])

    assert hanging.fault() is None
    assert [one.value for one in await waiting(hanging)] == [b"first", b"last"]


async def test_what_waits_for_a_disk_that_hangs_is_bounded(hanging: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingress.spool.spool._HELD_BYTES", 64 * _KIBIBYTE)
    value = bytes(4 * _KIBIBYTE)
    begun = [asyncio.ensure_future(hanging.put(record(value), PATIENCE_SECONDS)) for _ in range(40)]
    refused = [one for one in begun if await _is_refused_at_once(one)]

    HangingShelf.answers.set()
    await asyncio.gather(*begun, return_exceptions=True)

    assert len(refused) > 40 - 64 / 4
    await put(hanging, [record()])
    assert hanging.records == 40 - len(refused) + 1


async def _is_refused_at_once(one: "asyncio.Future[None]") -> bool:
    await asyncio.sleep(0)
    return one.done() and isinstance(one.exception(), Full)


async def test_a_disk_that_others_fill_is_told_while_kafka_takes_everything(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who learns it from the first record that finds no room learns it when Kafka is away, and that record is lost."""
    monkeypatch.setattr(app, "_LOOK_SECONDS", 0.02)
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, megabytes=24):
        async with bench.accepting(data_directory=disk) as (process, acceptance):
            assert _room(process) > 1024**2
            fill(disk)
            await eventually(lambda: _room(process) == 0)
            give_back(disk)
            await eventually(lambda: _room(process) > 0)
            await bench.keep(acceptance)


def _room(process: Process) -> float:
    """Bytes that the spool may still take, as its metrics say."""
    limit, used = (process.registry.get_sample_value(f"wootstream_spool_{name}") for name in ("limit_bytes", "bytes"))
    return (limit or 0) - (used or 0)
