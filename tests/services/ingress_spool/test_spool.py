"""The spool on the disk: what goes in comes out, whatever happened in between."""

import asyncio
import base64
import os
import shutil
import sqlite3
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from prometheus_client import CollectorRegistry

from services.ingress.spool import Spool
from services.ingress.spool_chunks import Full, Settled
from services.ingress.spool_frames import unframe
from services.ingress.spool_level import Level
from services.ingress.spool_metrics import SpoolMetrics
from services.ingress.spool_shelf import Shelf
from services.kernel import Clock, Record
from services.kernel.secrets import Secrets
from tests.eventually import eventually

_KEY = os.urandom(32)
_MEBIBYTE = 1024**2


@asynccontextmanager
async def opened(directory: Path, *, key: bytes = _KEY, cap_bytes: int = 64 * _MEBIBYTE) -> AsyncIterator[Spool]:
    """A spool as a process has it, given up at the end with what is still in it."""
    shelf = Shelf(directory, Secrets(key), cap_bytes=cap_bytes)
    spool = Spool(shelf, Level(shelf, SpoolMetrics(CollectorRegistry())), Clock())
    try:
        yield spool
    finally:
        await spool.close()


def record(value: bytes = b"{}", *, key: bytes | None = b"k") -> Record:
    accepted = Record.accepted(
        "chatwoot.webhooks",
        key=b"",
        value=value,
        store=uuid.uuid4(),
        event="e",
        origin="webhook",
        received_at=datetime.now(UTC),
    )
    return Record(accepted.topic, key, value, accepted.headers)


async def put(spool: Spool, records: Sequence[Record]) -> None:
    await asyncio.gather(*map(spool.put, records))


async def waiting(spool: Spool) -> list[Record]:
    return [one for chunk in await spool.read(None, 100_000) for one in unframe(chunk.frames)]


async def drain(spool: Spool) -> None:
    while chunks := await spool.read(None, 1_000):
        await spool.settle([Settled(chunk) for chunk in chunks])


async def test_records_outlive_their_process_byte_for_byte_and_in_order(tmp_path: Path) -> None:
    odd = Record("shop.events", None, bytes(range(256)), (("event", b""), ("store", b"\xff\x00"), ("origin", b"shop")))
    given = [odd, *(record(b"%d" % number, key=bytes([number])) for number in range(250))]
    async with opened(tmp_path) as spool:
        await put(spool, given)

    async with opened(tmp_path) as spool:
        found = await waiting(spool)

    assert [(one.topic, one.key, one.value, one.id) for one in found] == [
        (one.topic, one.key, one.value, one.id) for one in given
    ]
    assert found[0].headers == (("event", b""), ("store", b"\xff\x00"), ("origin", b"spool"))


async def test_puts_that_wait_together_share_their_fsyncs(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await put(spool, [record() for _ in range(1_000)])

        assert len(await spool.read(None, 1_000)) < 50


async def test_spool_of_a_living_process_is_left_to_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as living:
        await living.put(record())

        async with opened(tmp_path) as other:
            assert await waiting(other) == []
        assert len(await waiting(living)) == 1


async def test_nothing_of_a_record_can_be_read_from_the_disk(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.put(record(b"Anneke Jansen, Keizersgracht 1", key=b"Anneke"))

        written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"Anneke" not in written
    assert base64.b64encode(b"Anneke") not in written


async def test_file_sealed_with_another_key_waits_for_that_key(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.put(record(b"sealed"))

    with structlog.testing.capture_logs() as logs:
        async with opened(tmp_path, key=os.urandom(32)) as spool:
            assert await waiting(spool) == []
    assert [log["event"] for log in logs] == ["spool_file_is_unreadable"]
    async with opened(tmp_path) as spool:
        assert [one.value for one in await waiting(spool)] == [b"sealed"]


async def test_damaged_chunk_is_set_aside_and_the_others_come_out(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        for value in (b"first", b"second", b"third"):
            await spool.put(record(value))
    [file] = tmp_path.glob("*.sqlite3")
    with sqlite3.connect(file) as db:
        db.execute("update chunks set sealed = zeroblob(100) where id = 2")

    async with opened(tmp_path) as spool:
        assert [one.value for one in await waiting(spool)] == [b"first", b"third"]
        await drain(spool)
    with sqlite3.connect(file) as db:
        assert db.execute("select sealed from refused").fetchall() == [(bytes(100),)]


async def test_drained_spool_gives_its_room_back_to_the_disk(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await put(spool, [record(os.urandom(100_000)) for _ in range(200)])
        assert bytes_in(tmp_path) > 20_000_000

        await drain(spool)
        await eventually(lambda: bytes_in(tmp_path) < 5 * _MEBIBYTE)  # of which the reserve is four


async def test_spool_that_fills_alerts_before_it_refuses_and_takes_again_once_drained(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        async with opened(tmp_path, cap_bytes=4 * _MEBIBYTE) as spool:
            with pytest.raises(Full):
                await put_until_full(spool)
            assert spool.level.fault()
            await drain(spool)
            await spool.put(record())
            assert spool.level.fault() is None
    assert [log["event"] for log in logs] == ["spool_fills", "spool_is_full"]


async def test_disk_that_is_really_full_refuses_records_but_not_the_draining(small_disk: Path) -> None:
    async with opened(small_disk) as spool:
        with pytest.raises(Full):
            await put_until_full(spool)
        fill(small_disk)
        waited = spool.records

        await drain(spool)
        assert waited > 10
        assert spool.records == 0
        (small_disk / "filler").unlink()
        await spool.put(record(os.urandom(100_000)))
        assert spool.level.fault() is None


async def put_until_full(spool: Spool) -> None:
    for _ in range(1_000):
        await spool.put(record(os.urandom(100_000)))


def bytes_in(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())


def fill(directory: Path) -> None:
    """Take what the disk has left, to the last byte."""
    with (directory / "filler").open("ab", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            while True:
                try:
                    file.write(bytes(size))
                except OSError:
                    break
    assert shutil.disk_usage(directory).free == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB; only root can mount one."""
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "none", tmp_path], capture_output=True, check=False
    )
    if mount.returncode:
        pytest.skip("mounting a small disk needs root")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)
