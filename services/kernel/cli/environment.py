"""Where the installation is: what the environment says, and what a running local stack fills in; and its stores."""

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID

import asyncpg
from pydantic import ValidationError
from pydantic_settings import SettingsError

from db import stores
from db.pool import SERVICE, Connection, Pool, TooMuchPower, open_pool, scoped
from services.kernel.errors import Refusal, Stop, Verdict, cure, describe, verdict
from services.kernel.preflight import check_schema
from services.kernel.settings import Settings

_START = "start the local stack with: wootstream local start"
_ADDRESSES = "addresses.json"  # written by local/stack/pair.py

T = TypeVar("T")


def environment() -> Settings:
    """What the environment alone says. Raises Stop, naming the variable that cannot be read."""
    try:
        return Settings()
    except SettingsError as error:
        raise Stop(f"a setting cannot be read: {error}") from error
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        sentences = (f"{Settings.variable(str(one['loc'][0]))}: {one['msg']}" for one in faults)
        raise Stop(f"a setting cannot be read: {'; '.join(sentences)}") from error


def local_stack(settings: Settings) -> dict[str, str]:
    """What the environment leaves out and a running local stack has: setting → value, from the file that it writes."""
    absent = {name for name in ("kafka_bootstrap_servers", "database_url") if getattr(settings, name) is None}
    if not absent or settings.stack != "embedded":
        return {}
    try:
        servers = json.loads((settings.stack_directory / _ADDRESSES).read_bytes())
    except FileNotFoundError:
        return {}
    found: dict[str, str] = {}
    for server in servers:
        if absent & server["settings"].keys() and _runs(server["pid"]):
            found |= server["settings"]
    return found


def _runs(pid: int) -> bool:
    """Whether there is such a process: a server that was killed leaves its address behind."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another account's
        return True
    return True


def as_far_as_known() -> Settings:
    """The settings with the local stack's servers where it runs; what is not known stays unknown."""
    settings = environment()
    return Settings.model_validate(settings.model_dump(exclude_unset=True) | local_stack(settings))


def installed(*, kafka: bool = True, database: bool = True) -> Settings:
    """The settings with the servers known that are asked for. Raises Stop with the cure."""
    settings = environment()
    if (kafka and not settings.kafka_bootstrap_servers) or (database and not settings.database_url):
        settings = Settings.model_validate(settings.model_dump(exclude_unset=True) | local_stack(settings))
    if database and not settings.database_url:
        raise Stop(f"no database: set DATABASE_URL, or {_START}")
    if kafka and not settings.kafka_bootstrap_servers:
        raise Stop(f"no Kafka: set KAFKA_BOOTSTRAP_SERVERS, or {_START}")
    return settings


@asynccontextmanager
async def database(settings: Settings, *, connections: int = 2, role: str | None = None) -> AsyncIterator[Pool]:
    """Connections as the services have them, under row security, or those of another role. Raises Stop when the
    database cannot be used."""
    if settings.database_url is None:
        raise Stop(f"no database: set DATABASE_URL, or {_START}")
    # A verb works in one, and asks beside it in another.
    pool = open_pool(settings.database_url.get_secret_value(), role or SERVICE, size=connections)
    try:
        await _reach(pool)
        yield pool
    except asyncpg.PostgresError as error:
        if verdict(error) is Verdict.GUILTY:
            raise
        how = f": {cure(error)}" if verdict(error) is Verdict.STOP else ""
        raise Stop(f"the database cannot be used: {describe(error)}{how}") from error
    finally:
        await pool.close()


async def _reach(pool: Pool) -> None:
    try:
        await check_schema(pool)
    except (asyncpg.InterfaceError, OSError, TimeoutError, TooMuchPower) as error:
        raise Stop(f"PostgreSQL cannot be reached ({describe(error)}): see that it runs, and DATABASE_URL") from error


async def stores_named(pool: Pool, slug: str | None) -> dict[str, UUID]:
    """Short name → id: of that store, or of every store where None is named. Raises Refusal, naming the known ones.

    An empty name is no store's: a script whose variable is not set must not mean all of them."""
    async with pool.acquire(timeout=10) as conn:
        known = {row["slug"]: row["organization_id"] for row in await stores.everyone(conn)}
    if slug is None:
        return known
    if slug not in known:
        raise Refusal(f"there is no store {slug!r}; known are: {', '.join(known) or 'none yet'}")
    return {slug: known[slug]}


async def each_store(slug: str | None, work: Callable[[Connection, UUID, str], Awaitable[T]]) -> dict[str, T]:
    """Do `work` for the store named, or for each in turn where None is, in a transaction that sees only that store."""
    async with database(installed(kafka=False)) as pool:
        answers = {}
        for name, organization in (await stores_named(pool, slug)).items():
            async with scoped(pool, {organization}) as conn:
                answers[name] = await work(conn, organization, name)
    if not answers:
        raise Refusal("there is no store yet: add one with `wootstream stores add`")
    return answers
