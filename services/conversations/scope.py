"""One store after another at the command line: each in a transaction with only that store in scope."""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from db import stores
from db.pool import SERVICE, Connection, open_pool, scoped
from services.kernel import Settings, Stop

T = TypeVar("T")


async def each_store(slug: str, work: Callable[[Connection, UUID, str], Awaitable[T]]) -> dict[str, T]:
    """Do `work` in the scope of the store named, or of each store in turn."""
    settings = Settings()
    if settings.database_url is None:
        raise Stop("no database: set DATABASE_URL, or start the local stack with: wootstream local start")
    pool = open_pool(settings.database_url.get_secret_value(), SERVICE)
    try:
        async with pool.acquire(timeout=10) as conn:
            known = {row["slug"]: row["organization_id"] for row in await stores.everyone(conn)}
        chosen = {slug: known[slug]} if slug in known else {} if slug else known
        if not chosen:
            raise Stop(f"there is no store {slug!r}; known are: {', '.join(known) or 'none yet'}")
        answers = {}
        for name, organization in chosen.items():
            async with scoped(pool, {organization}) as conn:
                answers[name] = await work(conn, organization, name)
        return answers
    finally:
        await pool.close()
