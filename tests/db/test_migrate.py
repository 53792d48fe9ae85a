"""`migrate` beside whoever works: what it cannot have is said with the cure, and the same again goes on."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db import migrate as module
from db.migrate import MigrationLocked, changed_tables, migrate, missing
from tests.databases import copied_database, empty_database, waiting_for_locks
from tests.eventually import eventually

_NEXT = "9999_next.sql"
_THERE = "select oid::regclass::text as name from pg_class where relkind in ('r', 'p') and oid >= 16384"
# Without that of a new foreign key on what it refers to, which may be the host's table, and rewrites nothing.
_HELD = """
select distinct relation::regclass::text as name from pg_locks join pg_class c on c.oid = relation
where pid = pg_backend_pid() and locktype = 'relation' and c.relkind in ('r', 'p')
  and mode in ('ShareLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""
# Where the table is not the host's own, which only the migration itself finds out.
_UNDER_A_CONDITION = {"wootstream.members", "auth.users"}
_PARTS = "select inhrelid::regclass::text as name from pg_inherits where inhparent::regclass::text = any ($1::text[])"


async def test_two_that_migrate_at_once_apply_each_migration_once(migrated: str) -> None:
    async with empty_database(migrated) as url:
        one, other = await asyncio.gather(migrate(url), migrate(url))
        conn = await asyncpg.connect(url)
        left = await missing(conn)
        await conn.close()

    assert (sorted([len(one), len(other)])[0], left) == (0, [])


async def test_a_table_that_a_long_transaction_holds_is_said_with_its_migration_and_the_cure(
    migrated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dump or an open psql: PostgreSQL runs, and its address is right."""
    for path in module.files():
        shutil.copy(path, tmp_path)
    (tmp_path / _NEXT).write_text("alter table public.chatwoot_widget_daily add column of_the_next_release int;")
    monkeypatch.setattr(module, "_FOLDER", tmp_path)
    async with copied_database(migrated) as url:
        conn = await asyncpg.connect(url)
        async with conn.transaction():
            await conn.execute("select count(*) from public.chatwoot_widget_daily")
            with pytest.raises(MigrationLocked, match=f"{_NEXT} waited .* pg_stat_activity"):
                await migrate(url)

        assert await migrate(url) == [_NEXT]
        await conn.close()


async def test_who_writes_to_one_table_and_then_another_meets_no_migration_in_between(
    migrated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the service customers: facts first, then the customers whom they are about. On large tables a migration that
    takes its locks one by one works for minutes before it comes to the second, and loses at each try."""
    for path in module.files():
        shutil.copy(path, tmp_path)
    (tmp_path / _NEXT).write_text(
        "alter table wootstream.customers add column of_the_next_release int;\n"
        "create index of_the_next_release on wootstream.shop_facts (organization_id, happened_at);\n"
    )
    monkeypatch.setattr(module, "_FOLDER", tmp_path)
    async with copied_database(migrated) as url:
        writer, watcher = await asyncpg.connect(url), await asyncpg.connect(url)
        # The writer is never the one that gives way.
        await writer.execute("set deadlock_timeout = '1min'")
        async with writer.transaction():
            await writer.execute("lock table wootstream.shop_facts in row exclusive mode")
            migrating = asyncio.create_task(migrate(url))
            await eventually(lambda: _waits(watcher))
            assert await waiting_for_locks(watcher, "lock table")  # and has done nothing yet
            await writer.execute("lock table wootstream.customers in row exclusive mode")

        assert await migrating == [_NEXT]
        for conn in (writer, watcher):
            await conn.close()


async def test_each_migration_locks_what_it_changes_before_its_work(migrated: str) -> None:
    """Or it meets in a deadlock, after its work, who writes to one of its tables and then to another."""
    bootstrap, *numbered = module.files()
    late = {}
    async with empty_database(migrated) as url:
        conn = await asyncpg.connect(url)
        await conn.execute(bootstrap.read_text())
        for path in numbered:
            async with conn.transaction():
                await conn.execute("set local role wootstream_owner")
                there = {row["name"] for row in await conn.fetch(_THERE)} - _UNDER_A_CONDITION
                early = await changed_tables(conn, path.read_text())
                await conn.execute(path.read_text())
                held = {row["name"] for row in await conn.fetch(_HELD)} & there
                late[path.name] = held - {*early} - {*await _parts_of(conn, early)}
        await conn.close()
    assert {name: tables for name, tables in late.items() if tables} == {}


async def _parts_of(conn: Any, tables: Sequence[str]) -> list[str]:
    """A partitioned table is locked with its partitions."""
    rows = await conn.fetch(_PARTS, tables)
    return [row["name"] for row in rows]


async def _waits(conn: Any) -> bool:
    return await waiting_for_locks(conn) > 0
