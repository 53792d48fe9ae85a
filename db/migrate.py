"""Migrations: numbered plain SQL, forward only, each in a transaction of its own, one migrator at a time."""

import asyncio
import hashlib
import re
from pathlib import Path
from typing import Any

import asyncpg

from db.address import read
from db.pooler import direct_connection

_FOLDER = Path(__file__).parent / "migrations"
_LOCK_KEY = 0x574F4F54  # "WOOT"
_LOCK_WAIT_SECONDS = 60.0
_LOCK_POLL_SECONDS = 0.2
_TABLE_WAIT = "4s"
_DEADLOCKS = 10  # as often one migration may lose against who writes, one of two each time
_ASIDE = re.compile(r"--[^\n]*|(\$\w*\$).*?\1", re.DOTALL)  # comments, and functions' bodies
_CHANGED = re.compile(
    r"\b(?:(?:alter|drop)\s+table|drop\s+index|delete\s+from|update|(?:index|policy|trigger)\s+\w+\b[^;]*?\son)\s+"
    r"(?:if\s+exists\s+|only\s+)*(\w+\.\w+)"
)
_TABLES = """
select distinct coalesce(i.indrelid, c.oid)::regclass::text as name from unnest($1::text[]) as named
join pg_class c on c.oid = to_regclass(named) left join pg_index i on i.indexrelid = c.oid where c.relkind in ('r', 'p', 'i', 'I')
order by name
"""
_DONE = "select name, sha256 from wootstream.migrations"
_REMEMBER = "insert into wootstream.migrations (name, sha256) values ($1, $2)"
# On Supabase auth.users belongs to the platform, and only the connecting role may refer to it; it owns our tables there.
_OWNER = """
select case when pg_get_userbyid(c.relowner) = 'wootstream_owner' then 'wootstream_owner' else current_user::text end
from pg_class c where c.oid = to_regclass('auth.users')
"""


class MigrationChanged(RuntimeError):
    """A migration that ran before has other text now: write a new one instead."""


class MigrationLocked(RuntimeError):
    """Another migrator held the lock for a minute, or somebody a table that a migration changes."""


class MigrationPooled(RuntimeError):
    """A pooler stands before the server: it gives no session that could hold a lock."""


def files() -> list[Path]:
    """All migrations in order; 0000 is the bootstrap that runs each time."""
    return sorted(_FOLDER.glob("[0-9][0-9][0-9][0-9]_*.sql"))


async def migrate(database_url: str) -> list[str]:
    """Apply what is missing; return the names applied. Needs an administrator's direct connection, not a pooler."""
    # A DDL statement that waits for a lock makes everybody behind it wait: better to fail and be tried again.
    conn = await direct_connection(read(database_url), {"lock_timeout": _TABLE_WAIT})
    if conn is None:
        raise MigrationPooled("DATABASE_URL leads through a pooler, and migrations need the server itself")
    try:
        await _take_lock(conn)
        return await _apply_missing(conn)
    finally:
        await conn.close()


async def missing(conn: Any) -> list[str]:
    """Names of migrations that the database has not seen; every one when it was never migrated."""
    names = [path.name for path in files()[1:]]
    if await conn.fetchval("select to_regclass('wootstream.migrations')") is None:
        return names
    done = {row["name"] for row in await conn.fetch("select name from wootstream.migrations")}
    return [name for name in names if name not in done]


async def newer(conn: Any) -> list[str]:
    """Names of those that a newer release applied, of which this one knows nothing."""
    if await conn.fetchval("select to_regclass('wootstream.migrations')") is None:
        return []
    known = [path.name for path in files()]
    rows = await conn.fetch("select name from wootstream.migrations where name <> all ($1::text[]) order by 1", known)
    return [row["name"] for row in rows]


async def changed_tables(conn: Any, text: str) -> list[str]:
    """Those there are already of which this migration takes a lock that holds up writers."""
    rows = await conn.fetch(_TABLES, _CHANGED.findall(_ASIDE.sub("", text)))
    return [row["name"] for row in rows]


async def _take_lock(conn: Any) -> None:
    # Waiting inside the lock call deadlocks with CREATE INDEX CONCURRENTLY, so this polls.
    try:
        async with asyncio.timeout(_LOCK_WAIT_SECONDS):
            while not await conn.fetchval("select pg_try_advisory_lock($1)", _LOCK_KEY):
                await asyncio.sleep(_LOCK_POLL_SECONDS)
    except TimeoutError as timeout:
        raise MigrationLocked("another migration has been running for a minute; look for it and try again") from timeout


async def _apply_missing(conn: Any) -> list[str]:
    bootstrap, *numbered = files()
    async with conn.transaction():
        await conn.execute(bootstrap.read_text())
    owner = await conn.fetchval(_OWNER)
    done = {row["name"]: row["sha256"] for row in await conn.fetch(_DONE)}
    return [path.name for path in numbered if await _apply(conn, path, owner, done)]


async def _apply(conn: Any, path: Path, owner: str, done: dict[str, str]) -> bool:
    text = path.read_text()
    digest = hashlib.sha256(text.encode()).hexdigest()
    if path.name in done:
        # By content: a file that was edited after it ran leaves databases that differ from each other.
        if done[path.name] != digest:
            raise MigrationChanged(
                f"{path.name} was applied with other text: install the release that did, or one that follows it; whoever has"
                " edited it puts it back, and writes a new migration"
            )
        return False
    for _ in range(_DEADLOCKS):
        try:
            await _carry_out(conn, path, owner, text, digest)
        except asyncpg.DeadlockDetectedError:
            continue
        except asyncpg.LockNotAvailableError as held:
            raise MigrationLocked(
                f"{path.name} waited {_TABLE_WAIT} for a table that somebody uses in a long transaction: end that one (a"
                " dump, an open psql: see pg_stat_activity) and try again; what was applied before it stays"
            ) from held
        return True
    raise MigrationLocked(
        f"{path.name} met whoever writes to its tables in a deadlock, {_DEADLOCKS} times: try again when less is written;"
        " what was applied before it stays"
    )


async def _carry_out(conn: Any, path: Path, owner: str, text: str, digest: str) -> None:
    async with conn.transaction():
        # Tables belong to the owner and not to the administrator who happens to run this.
        await conn.execute(f'set local role "{owner}"')
        # All locks first: who writes to one table and then to another would meet us in between, after minutes of work on a
        # large one, and so at each try.
        if tables := await changed_tables(conn, text):
            await conn.execute(f"lock table {', '.join(tables)} in access exclusive mode")
        await conn.execute(text)
        await conn.execute("reset role")
        await conn.execute(_REMEMBER, path.name, digest)
