"""Accepted records that Kafka refuses for good: told by the ingress whose disk they lie on, read by the audit."""

from collections.abc import Collection, Sequence
from datetime import datetime

from db.pool import Connection, Row

# A file belongs to whoever has it now: its volume may have come to another host.
# Not what else was told of this directory: a file that is neither there nor known to be emptied is lost with what it held.
_FORGET = """
delete from wootstream.undelivered u
where u.file = any ($1)
  and not exists (
    select from unnest($2::text[], $3::text[], $4::text[]) as e (file, topic, reason)
    where (e.file, e.topic, e.reason) = (u.file, u.topic, u.reason))
"""
_PUT = """
insert into wootstream.undelivered (host, directory, file, topic, reason, records, oldest_at)
select $1, $2, e.* from unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::timestamptz[]) as e order by 3, 4, 5
on conflict (file, topic, reason) do update
  set host = excluded.host, directory = excluded.directory, records = excluded.records, oldest_at = excluded.oldest_at
"""
_SINCE = """
select host, directory, file, topic, reason, records, oldest_at, noticed_at from wootstream.undelivered
where $1::timestamptz is null or noticed_at >= $1 order by host, directory, file, topic, reason
"""
_FORGET_FILE = "delete from wootstream.undelivered where file = $1 returning records"

AsideRow = tuple[str, str, str, int, datetime]  # file, topic, reason, records, when the oldest was accepted


async def tell(conn: Connection, host: str, directory: str, files: Collection[str], lines: Sequence[AsideRow]) -> None:
    """All that is set aside in this directory now. `files` are those that it has, or had until they were empty: in the
    others of them nothing is set aside any more."""
    async with conn.transaction():
        columns = [[line[number] for line in lines] for number in range(5)]
        await conn.execute(_FORGET, list(files), *columns[:3])
        if lines:
            await conn.execute(_PUT, host, directory, *columns)


async def since(conn: Connection, moment: datetime | None) -> Sequence[Row]:
    """What was noticed since then; None: ever."""
    return await conn.fetch(_SINCE, moment)


async def forget_file(conn: Connection, file: str) -> int:
    """Of a file that is lost with its disk; answers how many records were in it."""
    return sum(row["records"] for row in await conn.fetch(_FORGET_FILE, file))
