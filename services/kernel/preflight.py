"""What must be there before consumers start: both servers answer; schema, keys and topics are the installation's."""

from collections import Counter
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
    """Raises Stop where none of ours sealed anything of any store, or one that sealed several stores' is not here.

    Keyed hashes would be others than those that are kept: who was erased would come back, who took back their consent
    would be named, and what the law bids to keep be deleted. What is sealed so of one store is that store's alone.
    """
    async with pool.acquire(timeout=10) as conn:
        slugs = {row["organization_id"]: row["slug"] for row in await stores.everyone(conn)}
    async with scoped(pool, slugs) as conn:
        used = [row for row in await sealed.keys(conn, slugs) if row["key"]]  # what no key of anybody's sealed has none
    lost = [row for row in used if not secrets.knows(row["key"])]
    several = {key for key, stores_of_it in Counter(row["key"] for row in lost).items() if stores_of_it > 1}
    if used and len(lost) == len(used):
        raise Stop(_with_another(lost, secrets))
    if of_several := [row for row in lost if row["key"] in several]:
        raise Stop(_without(of_several, slugs, secrets))


async def tell_of_what_is_lost(pool: Pool, secrets: Secrets) -> None:
    """Which store's secrets, or people's requests and words, a key sealed that is not here: that stops nobody else."""
    known = await stores.all_ids(pool)
    async with scoped(pool, known) as conn:
        of_stores, of_people = await sealed.keys(conn, known), await sealed.peoples_keys(conn)
    for row in of_stores:
        if row["key"] and not secrets.knows(row["key"]):
            store, columns = str(row["organization_id"]), row["columns"]
            log.error("store_cannot_be_read", store=store, columns=columns, key=row["key"])
    for row in of_people:
        if not secrets.knows(row["key"]):
            log.error("people_cannot_be_read", column=row["place"], rows=row["texts"], key=row["key"])


def _with_another(lost: Sequence[Row], secrets: Secrets) -> str:
    return (
        f"the installation key {', '.join(secrets.key_ids)} is none of those that sealed the stores' secrets "
        f"({_keys(lost)}): set WOOTSTREAM_INSTALLATION_KEY_FILE to the installation's own. {_LOST}"
    )


def _without(lost: Sequence[Row], slugs: Mapping[UUID, str], secrets: Secrets) -> str:
    columns = ", ".join(sorted({column for row in lost for column in row["columns"]}))
    some = sorted({slugs[row["organization_id"]] for row in lost})
    more = f" and {len(some) - _STORES_NAMED} more" if len(some) > _STORES_NAMED else ""
    return (
        f"installation key {_keys(lost)} is not here (here is {', '.join(secrets.key_ids)}): without it nobody can "
        f"read {columns} of {', '.join(some[:_STORES_NAMED])}{more}, and who was erased or objected under it is not "
        f"known. Put it behind the others in WOOTSTREAM_INSTALLATION_KEY or its file. {_LOST}"
    )


def _keys(rows: Sequence[Row]) -> str:
    return ", ".join(sorted({row["key"] for row in rows}))


async def _check_topics(settings: Settings, wanted: Sequence[Topic]) -> str:
    if names := await topics.absent(settings, wanted):
        raise Stop(f"Kafka has no topic {', '.join(names)}: run `wootstream topics`")
    return await topics.cluster_id(settings)
