"""What must be there before consumers start: both servers answer; schema, keys and topics are the installation's."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from db import sealed, stores
from db.migrate import missing, newer
from db.pool import Pool, Row, scoped
from schemas.topics import Topic
from services.kernel.clock import Clock
from services.kernel.errors import Stop, Verdict, cure, describe, verdict
from services.kernel.kafka import topics
from services.kernel.secrets import Secrets
from services.kernel.settings import Settings

_AGAIN_SECONDS = 1.0
_STORES_NAMED = 5
_LOST = "If that is lost for good: `stores apply --key-lost`"
log = structlog.get_logger()


async def wait_for_installation(
    settings: Settings,
    clock: Clock,
    pool: Pool,
    wanted: Sequence[Topic],
    checked: Callable[[], Awaitable[None]],
) -> str:
    """Wait until Kafka and PostgreSQL answer; return the cluster's id. Raises Stop with the cure, as `checked` may."""
    while True:
        try:
            await check_schema(pool)
            await _tell_newer(pool)
            await checked()
            return await _check_topics(settings, wanted)
        except (KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            # A wrong password or ACL is not mended by waiting; a server that starts later than we do is.
            if verdict(error) is Verdict.STOP:
                raise Stop(f"{describe(error)}: {cure(error)}") from error
            log.warning("installation_is_away", error=describe(error))
            await clock.sleep(_AGAIN_SECONDS)


async def check_schema(pool: Pool) -> None:
    """Raises Stop when a migration is missing."""
    async with pool.acquire(timeout=10) as conn:
        if names := await missing(conn):
            raise Stop(
                f"the database lacks {len(names)} migrations ({names[0]} is the first): run `wootstream migrate`"
            )


async def _tell_newer(pool: Pool) -> None:
    """Between `migrate` and the roll it is so, and where an upgrade went back: nothing to stop for."""
    async with pool.acquire(timeout=10) as conn:
        if names := await newer(conn):
            log.warning("database_is_of_a_newer_release", migrations=names)


async def check_keys(pool: Pool, secrets: Secrets) -> None:
    """Raises Stop where a key that sealed secrets of a store is not here: another installation's, or one was left out.

    Keyed hashes would be others than those that are kept: who was erased would come back, who took back their consent
    would be named, and what the law bids to keep be deleted.
    """
    async with pool.acquire(timeout=10) as conn:
        slugs = {row["organization_id"]: row["slug"] for row in await stores.everyone(conn)}
    async with scoped(pool, slugs) as conn:
        used = [row for row in await sealed.keys(conn, slugs) if row["key"]]  # what no key of anybody's sealed has none
    if lost := [row for row in used if not secrets.knows(row["key"])]:
        raise Stop(_without(lost, slugs, secrets, any_here=len(lost) < len(used)))


async def tell_of_people_lost(pool: Pool, secrets: Secrets) -> None:
    """Whose request or word a key sealed that is not here: it concerns them alone, and stops nobody."""
    known = await stores.all_ids(pool)
    async with scoped(pool, known) as conn:
        rows = await sealed.peoples_keys(conn)
    for row in rows:
        if not secrets.knows(row["key"]):
            log.error("people_cannot_be_read", column=row["place"], rows=row["texts"], key=row["key"])


def _without(lost: Sequence[Row], slugs: Mapping[UUID, str], secrets: Secrets, *, any_here: bool) -> str:
    """What is to be done about keys that are not here."""
    keys, here = ", ".join(sorted({row["key"] for row in lost})), ", ".join(secrets.key_ids)
    if not any_here:
        return (
            f"the installation key {here} is none of those that sealed the stores' secrets ({keys}): "
            f"set WOOTSTREAM_INSTALLATION_KEY_FILE to the installation's own. {_LOST}"
        )
    columns = ", ".join(sorted({column for row in lost for column in row["columns"]}))
    some = sorted({slugs[row["organization_id"]] for row in lost})
    more = f" and {len(some) - _STORES_NAMED} more" if len(some) > _STORES_NAMED else ""
    return (
        f"installation key {keys} is not here (here is {here}): without it nobody can read {columns} of "
        f"{', '.join(some[:_STORES_NAMED])}{more}, and who was erased or objected under it is not known. Put it behind "
        f"the others in WOOTSTREAM_INSTALLATION_KEY or its file. {_LOST}"
    )


async def _check_topics(settings: Settings, wanted: Sequence[Topic]) -> str:
    if names := await topics.absent(settings, wanted):
        raise Stop(f"Kafka has no topic {', '.join(names)}: run `wootstream topics`")
    return await topics.cluster_id(settings)
