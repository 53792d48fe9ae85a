"""The spool on the disk: what goes in comes out, whatever happened in between."""

import base64
import os
import shutil
import sqlite3
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import structlog

from services.ingress.spool.codec import PLACE, frame, seal
from services.ingress.spool.set_aside import Wanted, counted
from services.ingress.spool.shelf import ChunkOutcome, Full
from services.ingress.spool.spool import Spool
from services.kernel import Record
from services.kernel.secrets import Secrets
from tests.eventually import eventually
from tests.services.ingress.spool.shelf_bench import KEY, drain, opened, put, put_until_full, record, waiting
from tests.services.ingress.spool.small_disk import fill, give_back, mounted

_MEBIBYTE = 1024**2


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
        await put(living, [record()])

        async with opened(tmp_path) as other:
            assert await waiting(other) == []
        assert len(await waiting(living)) == 1


async def test_nothing_of_a_record_can_be_read_from_the_disk(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await put(spool, [record(b"Anneke Jansen, Keizersgracht 1", key=b"Anneke")])

        written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"Anneke" not in written
    assert base64.b64encode(b"Anneke") not in written


async def test_file_sealed_with_another_key_waits_for_that_key(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await put(spool, [record(b"sealed")])

    with structlog.testing.capture_logs() as logs:
        async with opened(tmp_path, key=os.urandom(32)) as spool:
            assert await waiting(spool) == []
    assert [log["event"] for log in logs] == ["spool_file_is_unreadable"]
    async with opened(tmp_path) as spool:
        assert [one.value for one in await waiting(spool)] == [b"sealed"]


async def test_damaged_chunk_is_set_aside_and_the_others_come_out(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        for value in (b"first", b"second", b"third"):
            await put(spool, [record(value)])
    [file] = tmp_path.glob("*.sqlite3")
    with sqlite3.connect(file) as db:
        db.execute("update chunks set sealed = zeroblob(100) where id = 2")

    async with opened(tmp_path) as spool:
        assert [one.value for one in await waiting(spool)] == [b"first", b"third"]
        await drain(spool)
    with sqlite3.connect(file) as db:
        assert db.execute("select sealed from refused").fetchall() == [(bytes(100),)]


_RELEASES_BEYOND: Mapping[str, Callable[[bytes], bytes] | None] = {
    "cut short": lambda framed: framed[:-1],
    "of other heads": lambda framed: framed[:8] + b"?" * (len(framed) - 8),
    "of other lengths": lambda framed: b"\xff" * 8 + framed[8:],
    "of a head that is no list": lambda _: struct.pack("<II", 1, 0) + b"7",
    "not even packed": None,
}


@pytest.mark.parametrize("how", _RELEASES_BEYOND)
async def test_chunk_that_opens_but_holds_no_records_of_ours_is_set_aside_like_one_that_does_not_open(
    tmp_path: Path, how: str
) -> None:
    """Sealed by the right key: a later release's, read again after going back to this one. It stops nobody."""
    async with opened(tmp_path) as spool:
        await put(spool, [record(b"first")])
        await put(spool, [record(b"second")])
    framed, secrets, foreign = frame(record(b"later")), Secrets(KEY), _RELEASES_BEYOND[how]
    sealed = seal(secrets, [foreign(framed)]) if foreign else secrets.seal_bytes(framed, place=PLACE)
    [file] = tmp_path.glob("*.sqlite3")
    with sqlite3.connect(file) as db:
        db.execute("update chunks set sealed = ? where id = 1", (sealed,))

    async with opened(tmp_path) as spool:
        assert [one.value for one in await waiting(spool)] == [b"second"]
        await drain(spool)
    [aside] = counted(tmp_path, Wanted())
    assert (aside.records, aside.topic) == (1, "")
    assert "unpack" in aside.reason or "no records of this release" in aside.reason


async def test_file_of_an_earlier_release_is_completed_and_takes_what_is_set_aside(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await put(spool, [record()])
    [file] = tmp_path.glob("*.sqlite3")
    with sqlite3.connect(file) as db:
        db.execute("alter table refused drop column topic")

    async with opened(tmp_path) as spool:
        [chunk] = await spool.read(None, 1)
        await spool.settle([ChunkOutcome(chunk, refused=[("too large", record())])])

    assert [(one.topic, one.reason, one.records) for one in counted(tmp_path, Wanted())] == [
        ("chatwoot.webhooks", "too large", 1)
    ]


async def test_drained_spool_gives_its_room_back_to_the_disk(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        for _ in range(20):
            await put(spool, [record(os.urandom(100_000)) for _ in range(10)])
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
            await put(spool, [record()])
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
        give_back(small_disk)
        await put(spool, [record(os.urandom(100_000))])
        assert spool.level.fault() is None


async def test_process_that_starts_on_a_full_disk_drains_what_another_left(small_disk: Path) -> None:
    async with opened(small_disk) as spool:
        with pytest.raises(Full):
            await put_until_full(spool)
    fill(small_disk)

    async with opened(small_disk) as spool:
        await drain(spool)

        assert spool.records == 0
    # The one that was adopted is gone; that it was empty is left to be told.
    assert sorted(path.suffix or path.name for path in small_disk.iterdir()) == [".emptied", "filler"]


def bytes_in(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path, megabytes=24) as directory:
        yield directory


async def test_what_is_put_in_after_the_file_was_deleted_outlives_its_process_like_all_else(tmp_path: Path) -> None:
    """Its disk unmounted, its directory removed: SQLite goes on writing, fsync succeeds, and nobody ever finds it."""
    directory = tmp_path / "spool"
    before, after = [record(b"%d" % number) for number in range(3)], [record(b"a"), record(b"b")]
    async with opened(directory) as spool:
        await put(spool, before)
        shutil.rmtree(directory)
        assert spool.fault() is None
        await put(spool, after)
        level = spool.level.records
        killed = shutil.copytree(directory, tmp_path / "as a killed process leaves it")

        drained = [one.value for one in await _drained(spool)]

    async with opened(killed) as found:
        assert [one.value for one in await waiting(found)] == [b"a", b"b"]
    assert (level, drained) == (5, [b"0", b"1", b"2", b"a", b"b"])  # while it lives, all of it


async def test_a_spool_whose_disk_takes_no_file_any_more_refuses_instead_of_promising(tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    async with opened(directory) as spool:
        await put(spool, [record()])
        shutil.rmtree(directory)
        directory.write_text("no directory")
        with pytest.raises(Full):
            await spool.put(record(), 10.0)

        directory.unlink()
        await put(spool, [record()])
        assert len(await _drained(spool)) == 2


async def _drained(spool: Spool) -> list[Record]:
    """All that comes out, until nothing is left."""
    found: list[Record] = []
    while some := await spool.read(None, 1_000):
        found += [one for chunk in some for one in chunk.waiting]
        await spool.settle([ChunkOutcome(chunk) for chunk in some])
    return found
