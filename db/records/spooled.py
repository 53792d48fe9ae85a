"""Accepted records that wait for Kafka on the disks of ingresses: told by the ingress beside them, read by the audit."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from db.pool import Connection, Row

# A file belongs to whoever has it now: its volume may have come to another host.
# Not what else was told of this directory: a file that is neither there nor known to be emptied is lost with what it held.
_FORGET = "delete from wootstream.spooled where file = any ($1) and file <> all ($2)"
_PUT = """
insert into wootstream.spooled as s (host, directory, file, records, oldest_at)
select $1, $2, e.* from unnest($3::text[], $4::bigint[], $5::timestamptz[]) as e (file, records, oldest_at) order by 3
on conflict (file) do update
  set host = excluded.host, directory = excluded.directory, records = excluded.records, told_at = now(),
      moved_at = case when s.oldest_at = excluded.oldest_at then s.moved_at else now() end,
      oldest_at = excluded.oldest_at
"""
_ALL = """
select host, directory, file, records, oldest_at,
  extract(epoch from now() - oldest_at)::bigint as oldest_seconds,
  extract(epoch from now() - greatest(moved_at, oldest_at))::bigint as still_seconds,
  extract(epoch from now() - told_at)::bigint as told_seconds
from wootstream.spooled order by host, directory, file
"""
_FORGET_FILE = "delete from wootstream.spooled where file = $1 returning records"


class SpooledRow(NamedTuple):
    """What waits in one file, and when the oldest of it was accepted."""

    file: str
    records: int
    oldest_at: datetime


async def tell(conn: Connection, host: str, directory: str, files: Collection[str], rows: Sequence[SpooledRow]) -> None:
    """All that waits in this directory now. `files` are those that it has, or had until they were empty: of the others of
    them nothing waits any more."""
    columns = [[row[number] for row in rows] for number in range(3)]
    async with conn.transaction():
        await conn.execute(_FORGET, list(files), columns[0])
        if rows:
            await conn.execute(_PUT, host, directory, *columns)


async def everything(conn: Connection) -> Sequence[Row]:
    """What waits anywhere; spans of time in seconds, by PostgreSQL's clock."""
    return await conn.fetch(_ALL)


async def forget_file(conn: Connection, file: str) -> int:
    """Of a file that is lost with its disk; answers how many records waited in it."""
    return sum(row["records"] for row in await conn.fetch(_FORGET_FILE, file))
