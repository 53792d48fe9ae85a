"""What each ingress saw acknowledged: written by the ingress alone, read by the audit (db/records/audit.py)."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from db.pool import Connection

_PUT = """
insert into wootstream.acknowledged (instance, topic, partition, accepted, highest_offset, cluster_id, updated_at)
select * from unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::text[], $7::timestamptz[]) order by 1, 2, 3
on conflict (instance, topic, partition) do update
  set accepted = excluded.accepted, highest_offset = excluded.highest_offset, updated_at = excluded.updated_at, alive_at = now()
"""
# A row of a dead process says nothing more once another of the same log reaches as high, and later: whatever moment the
# audit asks from, that other one answers. Its count moves to the log's row of ended processes, which claims no offset.
_FOLD = """
with gone as (
  delete from wootstream.acknowledged a
  where a.alive_at < now() - interval '1 hour' and a.highest_offset >= 0 and exists (
    select from wootstream.acknowledged b
    where b.topic = a.topic and b.partition = a.partition and b.cluster_id = a.cluster_id
      and b.updated_at >= a.updated_at and b.highest_offset >= a.highest_offset
      and (b.updated_at, b.highest_offset, b.instance) > (a.updated_at, a.highest_offset, a.instance))
  returning topic, partition, cluster_id, accepted, updated_at
)
insert into wootstream.acknowledged as e (instance, topic, partition, accepted, highest_offset, cluster_id, updated_at)
select 'ended/' || cluster_id, topic, partition, sum(accepted), -1, cluster_id, max(updated_at) from gone
group by topic, partition, cluster_id order by 1, 2, 3
on conflict (instance, topic, partition) do update
  set accepted = e.accepted + excluded.accepted, updated_at = greatest(e.updated_at, excluded.updated_at), alive_at = now()
"""


class AcknowledgedRow(NamedTuple):
    """The columns of _PUT."""

    instance: str
    topic: str
    partition: int
    accepted: int
    highest_offset: int
    cluster_id: str
    updated_at: datetime


async def put(conn: Connection, rows: Collection[AcknowledgedRow]) -> None:
    """Absolute numbers of living rows: writing them twice changes nothing."""
    if rows:
        await conn.execute(_PUT, *zip(*rows, strict=True))


async def fold(conn: Connection) -> None:
    """Keep the table as small as the installation has partitions and eras, however many processes it has seen."""
    await conn.execute(_FOLD)
