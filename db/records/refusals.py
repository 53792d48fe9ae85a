"""What the doors turned away: how many, where and why, never what was in it. Bounded: the newest rows are kept."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from db.pool import Connection, Row

KEPT_ROWS = 10_000  # a flood of refusals pushes out older ones and fills no disk

_ADD = """
insert into wootstream.refusals (door, reason, organization_id, count, last_at)
select * from unnest($1::text[], $2::text[], $3::uuid[], $4::int[], $5::timestamptz[])
  as n (door, reason, organization_id, number, last_at)
"""
_TRIM = "delete from wootstream.refusals where id <= (select max(id) from wootstream.refusals) - $1::bigint"
_SINCE = """
select id, last_at, door, reason, organization_id, count from wootstream.refusals
where id > $1 and ($2::uuid is null or organization_id = $2) order by id desc limit $3
"""


class RefusalRow(NamedTuple):
    """The columns of _ADD."""

    door: str
    reason: str
    organization_id: UUID | None
    number: int
    last_at: datetime


async def add(conn: Connection, refusals: Collection[RefusalRow]) -> None:
    """Append, and let the oldest go. As role wootstream_ingress."""
    await conn.execute(_ADD, *(list(column) for column in zip(*refusals, strict=True)))
    await conn.execute(_TRIM, KEPT_ROWS)


async def since(conn: Connection, after: int, store: UUID | None, most: int) -> Sequence[Row]:
    """The newest that came after this id, oldest first: of one store, or of all in scope and of none."""
    return (await conn.fetch(_SINCE, after, store, most))[::-1]
