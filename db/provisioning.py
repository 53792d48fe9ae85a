"""The steps that set a store up in Chatwoot: begun before a call, done after it."""

from collections.abc import Sequence
from uuid import UUID

from db.pool import Connection, Row

_BEGIN = """
insert into wootstream.provisioning as known (organization_id, step, chatwoot_base_url) values ($1, $2, $3)
on conflict (organization_id, step) do update
set chatwoot_base_url = excluded.chatwoot_base_url, attempts = known.attempts + 1, begun_at = now(), done_at = null
"""
_DONE = """
update wootstream.provisioning set chatwoot_id = coalesce($3, chatwoot_id), done_at = now()
where organization_id = $1 and step = $2
"""
_STEPS = """
select step, chatwoot_base_url, chatwoot_id, attempts, begun_at, done_at from wootstream.provisioning
where organization_id = $1 order by begun_at
"""


async def begin(conn: Connection, organization_id: UUID, step: str, base_url: str) -> None:
    """The step's call comes next; again after one that was interrupted, or for another change."""
    await conn.execute(_BEGIN, organization_id, step, base_url)


async def done(conn: Connection, organization_id: UUID, step: str, chatwoot_id: int | None = None) -> None:
    await conn.execute(_DONE, organization_id, step, chatwoot_id)


async def steps(conn: Connection, organization_id: UUID) -> Sequence[Row]:
    """What was begun for the store in scope, and what of it is done."""
    return await conn.fetch(_STEPS, organization_id)
