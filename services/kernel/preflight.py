"""What must be there before consumers start: both servers answer; schema, keys and topics are the installation's."""

from collections.abc import Awaitable, Callable, Sequence

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from db import sealed, stores
from db.migrate import missing, newer
from db.pool import Pool, scoped
from schemas.topics import Topic
from services.kernel.clock import Clock
from services.kernel.errors import Stop, Verdict, cure, describe, verdict
from services.kernel.kafka import topics
from services.kernel.secrets import Secrets
from services.kernel.settings import Settings

_AGAIN_SECONDS = 1.0
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
    """Raises Stop where no key of ours sealed anything of any store: it is another installation's, or was just made.

    Keyed hashes would be others than those that are kept: who was erased would come back, who took back their consent
    would be named, and what the law bids to keep be deleted.
    """
    known = await stores.all_ids(pool)
    async with scoped(pool, known) as conn:
        used = {row["key"] for row in await sealed.keys(conn, known)} - {""}  # what no key of anybody's sealed
    if used and not any(map(secrets.knows, used)):
        raise Stop(
            f"the installation key {', '.join(secrets.key_ids)} is none of those that sealed the stores' secrets "
            f"({', '.join(sorted(used))}): set WOOTSTREAM_INSTALLATION_KEY_FILE to the installation's own. "
            "If that is lost for good: `stores apply --key-lost`"
        )


async def _check_topics(settings: Settings, wanted: Sequence[Topic]) -> str:
    if names := await topics.absent(settings, wanted):
        raise Stop(f"Kafka has no topic {', '.join(names)}: run `wootstream topics`")
    return await topics.cluster_id(settings)
