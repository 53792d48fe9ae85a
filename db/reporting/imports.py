"""Which conversations' history was read through the API, so that an interrupted import goes on where it was."""

from collections.abc import Collection
from uuid import UUID

from db.pool import Connection

_DONE = """
insert into wootstream.imported (organization_id, conversation_id)
select $1, unnest($2::int[]) on conflict do nothing
"""
_IMPORTED = "select conversation_id from wootstream.imported where organization_id = $1"


async def done(conn: Connection, organization: UUID, conversations: Collection[int]) -> None:
    """These are in the topic now."""
    await conn.execute(_DONE, organization, sorted(conversations))


async def imported(conn: Connection, organization: UUID) -> set[int]:
    """Those that were read before."""
    return {row["conversation_id"] for row in await conn.fetch(_IMPORTED, organization)}
