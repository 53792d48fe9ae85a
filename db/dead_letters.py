"""Records that can never be applied as they are: kept whole with a reason until somebody mends or discards them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from db.pool import Connection

# Beyond this a store's letters keep only their position: the topic still has the bytes for days.
STORE_BYTES_CAP = 64 * 1024 * 1024

_INSERT = """
insert into wootstream.dead_letters
  (consumer_group, topic, era, partition, record_offset, organization_id, kind, reason, record_key, record_value, record_headers, value_bytes)
select $1, $2, e.era, e.partition, e.record_offset, e.organization_id, e.kind, e.reason, e.record_key,
  case when kept.bytes + sum(length(e.record_value)) over (partition by e.organization_id order by e.position) <= $12 then e.record_value end,
  e.record_headers::jsonb, length(e.record_value)
from unnest($3::int[], $4::int[], $5::bigint[], $6::uuid[], $7::text[], $8::text[], $9::bytea[], $10::bytea[], $11::text[])
  with ordinality as e (era, partition, record_offset, organization_id, kind, reason, record_key, record_value, record_headers, position),
  lateral (
    select coalesce(sum(d.value_bytes), 0) as bytes from wootstream.dead_letters d
    where d.organization_id is not distinct from e.organization_id and d.record_value is not null
  ) kept
on conflict do nothing
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """One record set aside."""

    era: int
    partition: int
    offset: int
    organization_id: UUID | None
    kind: str
    reason: str
    key: bytes | None
    value: bytes
    headers: str  # JSON: pairs of name and text, in order


async def set_aside(conn: Connection, group: str, topic: str, letters: Sequence[Letter]) -> None:
    """Keep the letters, values up to the store's cap in bytes, in the effect's own transaction."""
    columns = zip(*((one.era, one.partition, one.offset, one.organization_id, one.kind, one.reason, one.key, one.value, one.headers)
                    for one in letters), strict=True)  # fmt: skip
    await conn.execute(_INSERT, group, topic, *(list(column) for column in columns), STORE_BYTES_CAP)
