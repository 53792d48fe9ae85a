"""One store after another: each in a transaction with only that store in scope."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID

from db import stores
from db.pool import SERVICE, Connection, Pool, open_pool, scoped
from services.kernel import Settings, Stop

T = TypeVar("T")


class NoStore(Stop):
    """Nobody knows a store of this name."""


async def ask_stores(pool: Pool, slug: str, work: Callable[[Connection, UUID, str], Awaitable[T]]) -> dict[str, T]:
    """Do `work` in the scope of the store named, or of each store in turn. Raises NoStore."""
    answers = {}
    for name, organization in (await chosen(pool, slug)).items():
        async with scoped(pool, {organization}) as conn:
            answers[name] = await work(conn, organization, name)
    return answers


async def chosen(pool: Pool, slug: str) -> dict[str, UUID]:
    """The store named, or every store. Raises NoStore."""
    async with pool.acquire(timeout=10) as conn:
        known = {row["slug"]: row["organization_id"] for row in await stores.everyone(conn)}
    found = {slug: known[slug]} if slug in known else {} if slug else known
    if not found:
        raise NoStore(f"there is no store {slug!r}; known are: {', '.join(known) or 'none yet'}")
    return found


async def each_store(slug: str, work: Callable[[Connection, UUID, str], Awaitable[T]]) -> dict[str, T]:
    """The same at the command line."""
    async with opened(Settings()) as pool:
        return await ask_stores(pool, slug, work)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Pool]:
    """Connections as the services have them. Raises Stop where no database is named."""
    if settings.database_url is None:
        raise Stop("no database: set DATABASE_URL, or start the local stack with: wootstream local start")
    pool = open_pool(settings.database_url.get_secret_value(), SERVICE)
    try:
        yield pool
    finally:
        await pool.close()
