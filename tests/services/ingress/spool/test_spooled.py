"""What waits in a spool the audit says, wherever it is asked: how much, how old, where, and whether it is drained."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from db.pool import INGRESS, Pool
from db.records import spooled
from db.records.spooled import SpooledRow
from services.control.ledger.answer import Audit, SpooledFile
from services.control.ledger.audit import audit
from services.control.ledger.wording import findings, verdict
from services.ingress.spool.undelivered import UndeliveredWriter
from tests.eventually import eventually
from tests.services.ingress.spool.bench import Bench, spooling
from tests.services.ingress.spool.kafka_proxy import KafkaProxy

_LATER = timedelta(minutes=2)


async def test_what_a_dead_process_left_in_its_spool_is_named_until_another_has_drained_it(
    bench: Bench, remote: Bench, proxy: KafkaProxy, admin_pool: Pool
) -> None:
    async with proxy.away(), remote.accepting() as (_, acceptance):
        await remote.keep_all(acceptance, [b"{}"] * 7)

    [file] = of(bench, await audit(bench.settings))
    await told_before(admin_pool, file.file, _LATER)
    found = await audit(bench.settings)
    [late] = of(bench, found)

    assert (file.records, file.undrained, file.abandoned) == (7, False, False)
    assert (late.undrained, late.abandoned, found.clean, found.in_spools >= 7) == (True, True, False, True)
    assert "which nobody drains" in verdict(found)
    assert any("7 accepted records wait" in line and "start one on that directory" in line for line in findings(found))
    async with bench.accepting() as (process, _):
        await eventually(lambda: not spooling(process))
    assert of(bench, await audit(bench.settings)) == []


async def test_what_a_lost_disk_held_stays_named_though_an_ingress_starts_where_it_was(
    bench: Bench, remote: Bench, proxy: KafkaProxy
) -> None:
    """As a pod that comes back under its name with an empty volume."""
    async with proxy.away(), remote.accepting() as (_, acceptance):
        await remote.keep_all(acceptance, [b"{}"] * 7)
    shutil.rmtree(bench.settings.data_directory / "spool")

    async with bench.accepting() as (process, acceptance):
        await UndeliveredWriter(process, acceptance.spool.level, bench.settings.data_directory / "spool").write()
        [lost] = of(bench, await audit(bench.settings))
        async with process.pool(INGRESS).acquire() as conn:
            await spooled.forget_file(conn, lost.file)

    assert lost.records == 7


async def test_what_was_drained_while_postgresql_was_away_is_told_by_the_next_process(
    bench: Bench, remote: Bench, proxy: KafkaProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy.away(), remote.accepting() as (_, acceptance):
        await remote.keep_all(acceptance, [b"{}"] * 7)
    assert of(bench, await audit(bench.settings))
    with monkeypatch.context() as away:
        away.setattr(UndeliveredWriter, "_put", _is_away)
        async with bench.accepting() as (process, _):
            await eventually(lambda: not spooling(process))
    assert of(bench, await audit(bench.settings))

    async with bench.accepting():
        pass

    assert of(bench, await audit(bench.settings)) == []
    assert not list((bench.settings.data_directory / "spool").iterdir())


async def test_what_a_killed_process_had_drained_is_told_though_postgresql_was_away_then(
    bench: Bench, remote: Bench, proxy: KafkaProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had emptied the file and was killed before it could say so; nor could who found the file empty say it."""
    async with proxy.away(), remote.accepting() as (_, acceptance):
        await remote.keep_all(acceptance, [b"{}"] * 7)
    [path] = (bench.settings.data_directory / "spool").glob("*.sqlite3")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("delete from chunks")
    with monkeypatch.context() as away:
        away.setattr(UndeliveredWriter, "_put", _is_away)
        async with bench.accepting():
            pass
    assert of(bench, await audit(bench.settings))
    assert not path.exists()

    async with bench.accepting():
        pass

    assert of(bench, await audit(bench.settings)) == []


async def test_what_another_process_drained_since_it_was_looked_at_is_not_told_as_waiting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two share a directory: the other has told that the file is empty, and removed it, before we come to tell."""
    looked = [SpooledRow("removed.sqlite3", 7, datetime.now(UTC))]
    async with bench.accepting() as (process, acceptance):
        writer = UndeliveredWriter(process, acceptance.spool.level, bench.settings.data_directory / "spool")
        monkeypatch.setattr(writer, "_lying", lambda: ([], looked))
        await writer.write()

    assert "removed.sqlite3" not in {one.file for one in (await audit(bench.settings)).spooled}


async def _is_away(*_: object) -> None:
    raise OSError("PostgreSQL is away")


async def test_living_ingress_tells_what_waits_and_when_nothing_does_any_more(
    bench: Bench, remote: Bench, proxy: KafkaProxy
) -> None:
    async with remote.accepting() as (process, acceptance):
        writer = UndeliveredWriter(process, acceptance.spool.level, bench.settings.data_directory / "spool")
        await eventually(lambda: process.publisher.connected)
        async with proxy.away():
            await remote.keep_all(acceptance, [b"{}"] * 3)
            await writer.write()
            async with process.pool().acquire() as conn:
                waiting = [row for row in await spooled.everything(conn) if row["directory"] == where(bench)]
        await eventually(lambda: not spooling(process))
        await writer.write()
        after = of(bench, await audit(bench.settings))

    assert ([row["records"] for row in waiting], after) == ([3], [])


async def test_file_that_is_drained_moves_and_one_that_is_not_does_not(admin_pool: Pool) -> None:
    now = datetime.now(UTC)
    for name, oldest_at in (("drained", now - timedelta(minutes=3)), ("still", now - 2 * _LATER)):
        await tell(admin_pool, name, 10, now - _LATER)
        await told_before(admin_pool, name, _LATER)
        await tell(admin_pool, name, 9, oldest_at)
    async with admin_pool.acquire() as conn:
        rows = {row["file"]: SpooledFile(**row) for row in await spooled.everything(conn)}
        for name in ("drained", "still"):
            await spooled.forget_file(conn, name)

    drained, still = rows["drained"], rows["still"]
    assert (drained.undrained, drained.abandoned, drained.oldest_seconds >= 180) == (False, False, True)
    assert (still.undrained, still.abandoned, still.records) == (True, False, 9)
    assert (Audit([], [], [], [drained]).clean, Audit([], [], [], [still]).clean) == (True, False)


def where(bench: Bench) -> str:
    return str((bench.settings.data_directory / "spool").resolve())


def of(bench: Bench, found: Audit) -> list[SpooledFile]:
    return [one for one in found.spooled if one.directory == where(bench)]


async def tell(admin: Pool, file: str, records: int, oldest_at: datetime) -> None:
    async with admin.acquire() as conn:
        await spooled.tell(conn, "a host", f"/that/has/{file}", [file], [SpooledRow(file, records, oldest_at)])


async def told_before(admin: Pool, file: str, span: timedelta) -> None:
    """As if what was told last had been told so long ago."""
    async with admin.acquire() as conn:
        await conn.execute(
            "update wootstream.spooled set oldest_at = oldest_at - $2::interval, moved_at = moved_at - $2::interval,"
            " told_at = told_at - $2::interval where file = $1", file, span,
        )  # fmt: skip
