"""Databases of one test's own, on the session's PostgreSQL."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg

# The server is also other workers': what waits in their databases says nothing of a test's own.
_WAITING = """
select count(*) from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock' and position($1 in query) > 0
"""


@asynccontextmanager
async def empty_database(url: str, how: str = "") -> AsyncIterator[str]:
    """The administrator's URL of a new database beside the one that `url` names, made `how`; dropped at the end."""
    async with _database(url, how) as made:
        yield made


@asynccontextmanager
async def copied_database(url: str) -> AsyncIterator[str]:
    """The same, of a copy of the one that `url` names, to which nobody may be connected.

    A migrated one costs two thirds of what its migrations would.
    """
    async with _database(url, f"template {_name(url)}") as made:
        yield made


async def lose_with_the_machine(url: str) -> None:
    """Let the server of this administrator wait for no disk: its data end with the session, as its processes do."""
    conn = await asyncpg.connect(url, timeout=10)
    try:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            await conn.execute(f"alter system set {setting} = off")
        await conn.execute("select pg_reload_conf()")
    finally:
        await conn.close()


async def waiting_for_locks(conn: Any, within: str = "") -> int:
    """How many connections to this one's database wait for a lock, in a statement that has `within` in it."""
    return int(await conn.fetchval(_WAITING, within))


@asynccontextmanager
async def _database(url: str, how: str) -> AsyncIterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    system = await asyncpg.connect(_called(url, "postgres"), timeout=10)
    try:
        await system.execute(f"create database {name} {how}")
        yield _called(url, name)
    finally:
        await system.execute(f"drop database if exists {name} with (force)")
        await system.close()


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def _called(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()
