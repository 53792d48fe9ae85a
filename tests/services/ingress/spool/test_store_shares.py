"""While Kafka is away one store's flood fills its share of the spool, and turns nobody away but that store."""

import asyncio
import os
import threading
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.ingress.spool import spool as module
from services.ingress.spool.shelf import ChunkOutcome, Full, Shelf
from services.ingress.spool.spool import Spool
from services.kernel import Record
from tests.eventually import PATIENCE_SECONDS
from tests.services.ingress.spool.shelf_bench import opened, put

_CAP_BYTES = 16 * 1024**2
_HOSTILE, _NEXT, _HONEST = (uuid.UUID(int=number) for number in range(1, 4))


def record(store: uuid.UUID, value: bytes) -> Record:
    return Record.accepted(
        "chatwoot.webhooks", key=b"k", value=value, store=store, event="e", origin="webhook",
        received_at=datetime.now(UTC),
    )  # fmt: skip


async def flood(spool: Spool, store: uuid.UUID) -> int:
    """Until it is turned away; how many bytes were taken."""
    for number in range(2 * _CAP_BYTES // 200_000):
        try:
            await put(spool, [record(store, os.urandom(200_000))])
        except Full as full:
            assert "leaves free" in str(full)  # noqa: PT017  what was taken until then is what is asked
            return number * 200_000
    raise AssertionError("it was never turned away")


async def take(spool: Spool, stores: Sequence[uuid.UUID]) -> None:
    """As the drainer does where Kafka takes what these stores sent."""
    while chunks := await spool.read(None, 1_000):
        assert {one.store for chunk in chunks for one in chunk.waiting} <= {*stores}
        await spool.settle([ChunkOutcome(chunk, taken=chunk.waiting) for chunk in chunks])


async def test_each_store_that_floods_fills_half_of_what_is_left_and_others_are_kept(tmp_path: Path) -> None:
    async with opened(tmp_path, cap_bytes=_CAP_BYTES) as spool:
        spool.share_between(lambda: 3)
        assert _CAP_BYTES * 0.35 < await flood(spool, _HOSTILE) < _CAP_BYTES * 0.55
        assert _CAP_BYTES * 0.15 < await flood(spool, _NEXT) < _CAP_BYTES * 0.3
        await put(spool, [record(_HONEST, os.urandom(100_000)) for _ in range(10)])
        assert spool.fault() is None  # it takes from others: no reason to send them elsewhere
        await take(spool, [_HOSTILE, _NEXT, _HONEST])
        assert await flood(spool, _HOSTILE) > _CAP_BYTES * 0.35


async def test_what_counts_is_what_lies_on_the_disk(tmp_path: Path) -> None:
    """Webhooks resemble each other: a store's honest outage fills a tenth of what it sent."""
    async with opened(tmp_path, cap_bytes=_CAP_BYTES) as spool:
        spool.share_between(lambda: 2)
        for _ in range(2 * _CAP_BYTES // 1_000_000):
            await put(spool, [record(_HONEST, b"x" * 100_000) for _ in range(10)])


async def test_a_store_that_is_alone_has_all_of_it(tmp_path: Path) -> None:
    async with opened(tmp_path, cap_bytes=_CAP_BYTES) as spool:
        taken = 0
        while not spool.fault():
            try:
                await put(spool, [record(_HOSTILE, os.urandom(200_000))])
            except Full:
                break
            taken += 200_000
    assert taken > _CAP_BYTES * 0.8


async def test_what_waits_for_a_slow_disk_is_shared_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()

    class Slow(Shelf):
        def write(self, accepted_at: float, frames: Sequence[bytes]) -> None:
            goes_on.wait(PATIENCE_SECONDS)
            super().write(accepted_at, frames)

    monkeypatch.setattr(module, "_HELD_BYTES", 1_000_000)
    async with opened(tmp_path, cap_bytes=_CAP_BYTES, shelf_of=Slow) as spool:
        spool.share_between(lambda: 2)
        putting = [asyncio.create_task(spool.put(record(_HOSTILE, os.urandom(100_000)), 30)) for _ in range(9)]
        await asyncio.sleep(0)
        putting.append(asyncio.create_task(spool.put(record(_HONEST, os.urandom(100_000)), 30)))
        await asyncio.sleep(0)
        goes_on.set()
        outcomes = await asyncio.gather(*putting, return_exceptions=True)
    assert [isinstance(one, Full) for one in outcomes] == [False] * 4 + [True] * 5 + [False]
