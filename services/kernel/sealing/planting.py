"""A store's trees over time: made months ahead, so that a door never waits for one; destroyed when theirs is over."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import uuid_utils

from db.pool import Connection
from db.privacy import seals as table
from db.privacy.seals import SealTreeRow
from services.kernel.forgetting.subjects import Pseudonyms
from services.kernel.sealing.sealed_trees import sealed_tree
from services.kernel.sealing.sealer import Sealer, sealer_of
from services.kernel.sealing.tree import Tree
from services.kernel.secrets import Secrets

_MONTHS_AHEAD = 3  # as long a door may do without PostgreSQL
# Longer than any topic keeps a record and an ingress may be away with its spool.
KEPT = timedelta(days=31 + 120)


async def tend(conn: Connection, store: UUID, secrets: Secrets, now: datetime) -> bool:
    """Make what is missing for this month and the next, end what is over; whether anything changed. In its scope."""
    await table.hold(conn, store)
    there = {row["begins_at"] for row in await table.of_store(conn, store)}
    ended = await table.end(conn, store, now - KEPT)
    missing = [at for at in _months(now) if at not in there] if await table.to_seal(conn, store) else []
    await table.add(conn, [_row(store, at, secrets) for at in missing])
    if missing or ended:
        await table.changed(conn, store)
    return bool(missing or ended)


async def sealer_now(conn: Connection, store: UUID, secrets: Secrets, now: datetime) -> Sealer | None:
    """What a verb seals with that puts records into a topic itself; None where the store does not seal."""
    if not await table.to_seal(conn, store):
        return None
    await tend(conn, store, secrets, now)
    return sealer_of(store, await table.of_store(conn, store), secrets, Pseudonyms(secrets))


def _row(store: UUID, at: datetime, secrets: Secrets) -> SealTreeRow:
    return SealTreeRow(store, UUID(str(uuid_utils.uuid7())), at, sealed_tree(store, Tree.planted(), secrets))


def _months(now: datetime) -> list[datetime]:
    first = now.astimezone(UTC).year * 12 + now.astimezone(UTC).month - 1
    return [datetime(at // 12, at % 12 + 1, 1, tzinfo=UTC) for at in range(first, first + _MONTHS_AHEAD + 1)]
