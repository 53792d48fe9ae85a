"""A database of one test's own, on the session's PostgreSQL."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg


@asynccontextmanager
async def empty_database(url: str) -> AsyncIterator[str]:
    """The administrator's URL of a new database beside the one that `url` names; dropped at the end."""
    name = f"test_{secrets.token_hex(6)}"
    system = await asyncpg.connect(url, timeout=10)
    try:
        await system.execute(f"create database {name}")
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        await system.execute(f"drop database if exists {name} with (force)")
        await system.close()
