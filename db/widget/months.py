"""The monthly partitions of widget events: made ahead, and let go once no store keeps an event of them."""

from collections.abc import Sequence
from datetime import datetime

from db.pool import Connection, Row

# By name: a month that was detached, and not dropped yet, has no bounds any more.
_MONTHS = """
select relname as name, begins_at as begins, ends_at as ends, relispartition as attached,
  greatest(reltuples, 0)::bigint as estimated_rows, pg_total_relation_size(oid) as bytes
from pg_class,
  lateral (select to_date(right(relname, 6), 'YYYYMM') as begins) month,
  lateral (select begins::timestamp at time zone 'UTC' as begins_at, (begins + interval '1 month') at time zone 'UTC' as ends_at) span
where relnamespace = 'wootstream'::regnamespace and relkind = 'r' and relname ~ '^chatwoot_widget_events_[0-9]{6}$'
order by relname
"""
_ENSURE = "select * from wootstream.ensure_widget_partitions($1)"
_DETACH = "select wootstream.detach_widget_month($1)"
_DROP = "select wootstream.drop_widget_month($1)"


async def months(conn: Connection) -> Sequence[Row]:
    """Every month that there is, the oldest first: name, begins, ends (moments, UTC), attached, estimated_rows, bytes.

    One that is not attached was let go and waits to be dropped.
    """
    return await conn.fetch(_MONTHS)


async def ensure(conn: Connection, now: datetime) -> list[str]:
    """Make what is missing of last month's to three months ahead; the names of those made."""
    return [row["ensure_widget_partitions"] for row in await conn.fetch(_ENSURE, now)]


async def detach(conn: Connection, begins: datetime) -> bool:
    """Let the month that begins then go. Whether it was there; raises 55P03 (LockNotAvailableError) when writers did not
    make room within 0.2 s, and 55000 when a store still keeps events of it. As role wootstream_privacy."""
    return bool(await conn.fetchval(_DETACH, begins))


async def drop(conn: Connection, begins: datetime) -> bool:
    """Drop a month that was detached. Whether it was there. As role wootstream_privacy."""
    return bool(await conn.fetchval(_DROP, begins))
