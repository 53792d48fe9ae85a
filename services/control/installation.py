"""Where the installation is: what the environment says, and what the running local stack fills in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from db import dead_letters, stores
from db.pool import SERVICE, Pool, open_pool
from services.kernel.errors import Stop
from services.kernel.settings import Settings

_START = "start the local stack with: wootstream local start"


def local_stack(settings: Settings) -> dict[str, str]:
    """What the environment leaves out and a running local stack has: setting → address."""
    wanted = {"kafka_bootstrap_servers": "kafka", "database_url": "database_url"}
    absent = {name: part for name, part in wanted.items() if getattr(settings, name) is None}
    if not absent or settings.stack != "embedded":
        return {}
    try:
        from demo import stack
    except ImportError:  # a production image has no demo
        return {}
    found = stack.status(settings.data_directory / "stack")
    return {name: address for name, part in absent.items() if (address := getattr(found, part))}


def installed(*, kafka: bool = True, database: bool = True) -> Settings:
    """The settings with both servers known. Raises Stop with the cure."""
    settings = Settings()
    if (kafka and not settings.kafka_bootstrap_servers) or (database and not settings.database_url):
        settings = Settings.model_validate(settings.model_dump(exclude_unset=True) | local_stack(settings))
    if database and not settings.database_url:
        raise Stop(f"no database: set DATABASE_URL, or {_START}")
    if kafka and not settings.kafka_bootstrap_servers:
        raise Stop(f"no Kafka: set KAFKA_BOOTSTRAP_SERVERS, or {_START}")
    return settings


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Pool]:
    """Connections as the services have them, under row security."""
    if settings.database_url is None:
        raise Stop(f"no database: set DATABASE_URL, or {_START}")
    pool = open_pool(settings.database_url.get_secret_value(), SERVICE, size=2)
    try:
        yield pool
    finally:
        pool.terminate()


async def slugs(pool: Pool) -> dict[UUID, str]:
    """Every store by its id."""
    async with pool.acquire(timeout=10) as conn:
        return {row["organization_id"]: row["slug"] for row in await stores.everyone(conn)}


async def store_named(pool: Pool, slug: str) -> UUID:
    """The id of the store with this short name. Raises Stop, naming those that exist."""
    known = {name: store for store, name in (await slugs(pool)).items()}
    if slug not in known:
        raise Stop(f"there is no store {slug!r}; known are: {', '.join(sorted(known)) or 'none yet'}")
    return known[slug]


async def everybody(pool: Pool) -> set[UUID]:
    """Every store that exists or that a dead letter names: the scope of a verb that goes round them all."""
    async with pool.acquire(timeout=10) as conn:
        return {row["organization_id"] for row in await stores.everyone(conn)} | await dead_letters.stores(conn)
