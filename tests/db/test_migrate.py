"""`migrate` beside whoever works: what it cannot have is said with the cure, and the same again goes on."""

import asyncio
import shutil
from pathlib import Path

import asyncpg
import pytest

from db import migrate as module
from db.migrate import MigrationLocked, migrate, missing
from tests.databases import copied_database, empty_database

_NEXT = "9999_next.sql"


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
