"""Databases of one test's own, on the session's PostgreSQL."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg


@asynccontextmanager
async def empty_database(url: str) -> AsyncIterator[str]:
    """The administrator's URL of a new database beside the one that `url` names; dropped at the end."""
    async with _database(url, "") as made:
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
