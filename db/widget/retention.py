"""How long each store keeps single widget events, from when on all of them are there, and the end of those before."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from db.pool import Connection, Row
from db.widget.daily import ZONE

FEWEST_DAYS, MOST_DAYS = 31, 3660  # last month's partition is always there
_ROWS_SINCE = "select organization_id, rows_since from wootstream.widget_rows_since()"
_KEEP = """
insert into wootstream.widget_retention (organization_id, days) values ($1, $2)
on conflict (organization_id) do update set days = excluded.days
"""
_BEGIN = "insert into wootstream.widget_retention (organization_id) select unnest($1::uuid[]) on conflict do nothing"
# On to the beginning of a day of the store's calendar, never back: what is gone does not come back.
_MOVE = f"""
update wootstream.widget_retention r set rows_since = to_be.rows_since, moved_at = $1
from (
  select k.organization_id, date_trunc('day', $1::timestamptz at time zone z.zone - k.days * interval '1 day') at time zone z.zone as rows_since
  from wootstream.widget_retention k, lateral ({ZONE.format(store="k.organization_id")}) z
) to_be
where to_be.organization_id = r.organization_id and (r.rows_since is null or to_be.rows_since > r.rows_since)
"""  # noqa: S608
_SETTLED = """
select organization_id, days, rows_since from wootstream.widget_retention where moved_at <= $1::timestamptz - interval '1 hour'
order by organization_id
"""
_FORGET = """
with gone as (
  select created_at, id from public.chatwoot_widget_events where organization_id = $1 and created_at < $2 order by created_at, id limit $3
)
delete from public.chatwoot_widget_events e using gone
where e.organization_id = $1 and e.created_at = gone.created_at and e.id = gone.id
"""


async def rows_since(conn: Connection) -> dict[UUID, datetime]:
    """Store → the moment from which on its events are kept; whatever the scope. A store that keeps all is not in it."""
    return {row["organization_id"]: row["rows_since"] for row in await conn.fetch(_ROWS_SINCE)}


async def keep(conn: Connection, organization: UUID, days: int) -> None:
    """Let this store keep single events for so many days from now on. What is gone does not come back."""
    await conn.execute(_KEEP, organization, days)


async def move(conn: Connection, organizations: Collection[UUID], now: datetime) -> None:
    """Put each store's moment forward to the day that is the last it keeps; those in scope."""
    await conn.execute(_BEGIN, sorted(organizations))
    await conn.execute(_MOVE, now)


async def settled(conn: Connection, now: datetime) -> Sequence[Row]:
    """Stores in scope whose moment moved an hour ago or earlier: organization_id, days, rows_since.

    By then no transaction goes on that read the moment before.
    """
    return await conn.fetch(_SETTLED, now)


async def forget(conn: Connection, organization: UUID, before: datetime, *, most: int) -> int:
    """Delete the oldest of a store's events of a time that is over, so many at most; how many. As wootstream_privacy."""
    return int((await conn.execute(_FORGET, organization, before, most)).rpartition(" ")[2])
