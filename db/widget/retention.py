"""How long each store keeps single widget events, and from when on all of them are there."""

from datetime import datetime
from uuid import UUID

from db.pool import Connection

FEWEST_DAYS, MOST_DAYS = 31, 3660  # last month's partition is always there

_ROWS_SINCE = "select organization_id, rows_since from wootstream.widget_rows_since()"
_KEEP = """
insert into wootstream.widget_retention (organization_id, days) values ($1, $2)
on conflict (organization_id) do update set days = excluded.days
"""


async def rows_since(conn: Connection) -> dict[UUID, datetime]:
    """Store → the moment from which on its events are kept; whatever the scope. A store that keeps all is not in it."""
    return {row["organization_id"]: row["rows_since"] for row in await conn.fetch(_ROWS_SINCE)}


async def keep(conn: Connection, organization: UUID, days: int) -> None:
    """Let this store keep single events for so many days from now on. What is gone does not come back."""
    await conn.execute(_KEEP, organization, days)
