"""Yesterday's backup in the place of today's database, with the doors open: it catches up from Kafka by itself."""

import json
import shutil
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson

from schemas import topics
from services.control.ledger.audit import audit
from services.kernel import Record
from services.kernel.secrets import read_keys
from tests.chaos.installation import Installation
from tests.chaos.load import playing
from tests.chaos.recording import Generation, Recording, Rows, attach, heard, rows
from tests.chaos.running import nothing_in_flight, topics_of_its_own
from tests.deploy.host import Host, host_of
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.services.ingress.spool.shelf_bench import opened, put

_WEBHOOKS = 60  # ends in the middle of conversations, and before everybody's name was said
_PER_SECOND = 200.0


async def _play(host: Host, generation: Generation) -> None:
    async with (
        httpx.AsyncClient(base_url=host.door, timeout=PATIENCE_SECONDS) as client,
        playing(Recording(client, [generation], heard(_WEBHOOKS)), per_second=_PER_SECOND) as load,
    ):
        await load.finish()


def _contact(store: UUID) -> Record:
    """A webhook that a door had accepted while Kafka was away."""
    contact = {"event": "contact_created", "id": 1, "name": "Jan", "account": {"id": 1}}
    key = f"{store}:contact:1".encode()
    return Record.accepted(
        topics.WEBHOOKS.name, key=key, value=orjson.dumps(contact), store=store, event="contact_created",
        origin="webhook", received_at=datetime.now(UTC),
    )  # fmt: skip


async def _left_behind(installation: Installation, store: UUID) -> Path:
    """The spool's file of a door that was killed; the doors that run have looked for such files when they started."""
    folder = installation.settings.data_directory / "spool"
    before = {*folder.glob("*.sqlite3")}
    async with opened(folder, key=read_keys(installation.settings)[0]) as spool:
        await put(spool, [_contact(store)])
    (file,) = {*folder.glob("*.sqlite3")} - before
    return file


async def test_restored_backup_of_yesterday_catches_up_by_itself(installation: Installation, tmp_path: Path) -> None:
    yesterday, today, spooled = [await attach(installation.settings, number) for number in range(3)]
    waiting = next(iter(spooled.ids.values()))
    async with topics_of_its_own(installation), host_of(installation, tmp_path) as host:
        await _play(host, yesterday)
        await nothing_in_flight(installation)
        spool = await _left_behind(installation, waiting)
        made = await host.deploy("backup", "--keys", str(tmp_path / "keys"))
        assert made.code == 0, made.err
        spool.unlink()  # its disk is lost
        await _play(host, today)
        await nothing_in_flight(installation)
        async with installation.admin() as conn:
            await eventually(partial(_nothing_to_reckon, conn))
        expected = [await rows(installation, one) for one in (yesterday, today)]

        damaged = tmp_path / "damaged"
        shutil.copytree(tmp_path / made.out, damaged)
        with (damaged / "database.dump").open("ab") as dump:
            dump.write(b"\0")
        refused = await host.deploy("restore", str(damaged))
        newer = await host.deploy("restore", str(_as_of_a_newer_release(tmp_path / made.out, tmp_path / "newer")))
        restored = await host.deploy("restore", "--seconds", str(PATIENCE_SECONDS))

        assert restored.code == 0, restored.err
        for generation, wanted in zip((yesterday, today), expected, strict=True):
            await eventually(partial(_same, installation, generation, wanted))
        await eventually(partial(_knows_contact, installation, waiting))
        answer = await audit(installation.settings)
        kept = await _tables(installation, restored.out)
        unknown = await _unanalyzed(installation)

    assert (refused.code, "checksum differs" in refused.err) == (2, True)
    assert (newer.code, "made by release 9.9 with 1000 migrations" in newer.err) == (2, True), newer.err
    assert (answer.clean, answer.in_flight) == (True, 0)
    assert kept
    assert unknown == []
    assert "ingress-1: 1 records that waited in its spool are back" in restored.err
    _in_order(host.calls(), ["stop", "conversations"], ["run", "migrate"], ["run", "replay"], ["up", "conversations"])
    backup = tmp_path / made.out
    manifest = json.loads((backup / "manifest.json").read_text())
    assert manifest["files"].keys() == {"database.dump", "spool-ingress-1.tar", "spool-ingress-2.tar"}
    assert [
        path.stat().st_mode & 0o077 for path in (backup, backup / "database.dump", *(tmp_path / "keys").iterdir())
    ] == [0] * 3
    assert "wootstream_backup_timestamp_seconds 1" in (tmp_path / "metrics" / "wootstream_backup.prom").read_text()
    print("rows", sum(count for found in expected for count, _ in found.values()), "backup", made.err, restored.err)


async def test_workers_stand_still_where_who_was_forgotten_may_be_back(
    installation: Installation, tmp_path: Path
) -> None:
    async with host_of(installation, tmp_path, said={"migrate": "nothing to do"}) as host:
        made = await host.deploy("backup")
        assert made.code == 0, made.err
        host.fails_once("replay")
        begun = len(host.calls())
        restored = await host.deploy("restore")
        assert restored.code == 2, restored.err
        assert "people who were forgotten may be back" in restored.err
        assert [call for call in host.calls()[begun:] if call[0] == "up"] == []


def _as_of_a_newer_release(backup: Path, copy: Path) -> Path:
    shutil.copytree(backup, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(manifest | {"release": "9.9", "migrations": 1000}))
    return copy


async def _nothing_to_reckon(conn: Any) -> bool:
    """A name that was learned has reached the rows of before."""
    return not await conn.fetchval("select count(*) from wootstream.inboxes where recount_after is not null")


async def _same(installation: Installation, generation: Generation, expected: Rows) -> bool:
    found = await rows(installation, generation)
    assert [place for place in expected if found[place] != expected[place]] == []
    return True


async def _knows_contact(installation: Installation, store: UUID) -> bool:
    async with installation.admin() as conn:
        asked = "select true from public.chatwoot_contacts where organization_id = $1"
        return bool(await conn.fetchval(asked, store))


async def _unanalyzed(installation: Installation) -> list[str]:
    """Tables of which PostgreSQL's planner was told nothing."""
    async with installation.admin() as conn:
        rows = await conn.fetch(
            "select relname from pg_stat_user_tables where last_analyze is null and schemaname = 'wootstream'"
        )
    return [row["relname"] for row in rows]


def _in_order(calls: list[list[str]], *wanted: list[str]) -> None:
    """Each of these words stand together in a call that comes after that of the words before."""
    rest = iter(calls)
    for words in wanted:
        assert any({*words} <= {*call} for call in rest), words


async def _tables(installation: Installation, database: str) -> bool:
    """Whether what was there before is kept."""
    async with installation.admin() as conn:
        return bool(await conn.fetchval("select true from pg_database where datname = $1", database))
