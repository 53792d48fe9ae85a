"""Records that can never be applied as they are: kept whole with a reason until somebody mends or discards them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from db.pool import Connection, Row

# Beyond these a store's letters keep only their position: the topic still has the bytes for days.
STORE_BYTES_CAP = 64 * 1024 * 1024
STORE_WHOLE_CAP = 20_000

_INSERT = """
insert into wootstream.dead_letters
  (consumer_group, topic, era, partition, record_offset, organization_id, kind, reason, record_key, record_value, record_headers, value_bytes)
select $1, $2, e.era, e.partition, e.record_offset, e.organization_id, e.kind, e.reason, e.record_key,
  case when coalesce(c.whole_bytes, 0) + sum(length(e.record_value)) over store <= $12 and coalesce(c.whole, 0) + count(*) over store <= $13
    then e.record_value end,
  e.record_headers::jsonb, length(e.record_value)
from unnest($3::int[], $4::int[], $5::bigint[], $6::uuid[], $7::text[], $8::text[], $9::bytea[], $10::bytea[], $11::text[])
  with ordinality as e (era, partition, record_offset, organization_id, kind, reason, record_key, record_value, record_headers, position)
left join wootstream.dead_letter_counts c on c.organization_id = coalesce(e.organization_id, '00000000-0000-0000-0000-000000000000')
window store as (partition by e.organization_id order by e.position)
on conflict do nothing
"""
_WANTED = """
where ($1::uuid is null or organization_id = $1)
  and ($2::text is null or position(lower($2) in lower(reason)) > 0)
  and ($3::timestamptz is null or set_aside_at >= $3)
  and ($4::bigint[] is null or id = any ($4))
  and redriven_at is null and discarded_at is null
"""
_GROUPS = f"""
select reason, kind, consumer_group, topic, count(*) as letters, sum(value_bytes)::bigint as value_bytes,
  count(*) filter (where record_value is null) as without_value, array_agg(distinct organization_id) as organizations,
  (array_agg(id order by id))[1:3] as first_ids, min(set_aside_at) as oldest, max(set_aside_at) as newest
from wootstream.dead_letters {_WANTED}
group by reason, kind, consumer_group, topic order by letters desc, reason, consumer_group, topic limit $5
"""  # noqa: S608
_CHOSEN = f"select id, value_bytes from wootstream.dead_letters {_WANTED} order by id limit $5"  # noqa: S608
_ONE = "select * from wootstream.dead_letters where id = $1"
# Redrive and discard take turns, so that neither sends or forgets what the other has in hand.
_TURN = "select pg_advisory_xact_lock(hashtext('wootstream/dead letters'))"
_OPEN = """
select * from wootstream.dead_letters where id = any ($1::bigint[]) and redriven_at is null and discarded_at is null order by id
"""
# Every group sees the record again, so whatever letter tells of it is settled: another group's, or that of a copy with
# the same id. Its bytes are in the topic.
_REDRIVEN = """
with open as (
  select id, topic, value_bytes,
    coalesce(jsonb_path_query_first(record_headers, 'strict $[*] ? (@[0] == "id")') ->> 1, partition || '/' || record_offset) as record
  from wootstream.dead_letters where redriven_at is null and discarded_at is null
)
update wootstream.dead_letters set redriven_at = now(), record_key = null, record_value = null
where id in (select twin.id from open sent join open twin using (topic, record, value_bytes) where sent.id = any ($1::bigint[]))
"""
# Discarding is for good, so nothing that a person said is kept: the position and the reason stay.
_DISCARD = """
update wootstream.dead_letters set discarded_at = now(), record_key = null, record_value = null, record_headers = null
where id = any ($1::bigint[]) and redriven_at is null and discarded_at is null returning id
"""
_STORES = "select organization_id from wootstream.dead_letter_stores() as organization_id"


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which of the letters that nobody settled yet: every field that is not None narrows."""

    store: UUID | None = None
    reason: str | None = None
    since: datetime | None = None
    ids: tuple[int, ...] | None = None

    @property
    def values(self) -> tuple[object, ...]:
        return self.store, self.reason, self.since, self.ids


class Letter(NamedTuple):
    """One record set aside: the columns of _INSERT that differ from letter to letter."""

    era: int
    partition: int
    record_offset: int
    organization_id: UUID | None
    kind: str
    reason: str
    record_key: bytes | None
    record_value: bytes
    record_headers: str  # JSON: pairs of name and text, in order


async def set_aside(conn: Connection, group: str, topic: str, letters: Sequence[Letter]) -> None:
    """Keep the letters, each store's values up to its caps, in the effect's own transaction.

    Two batches at once do not see each other's letters yet, so a store may exceed its caps by a batch for each consumer.
    """
    columns = (list(column) for column in zip(*letters, strict=True))
    await conn.execute(_INSERT, group, topic, *columns, STORE_BYTES_CAP, STORE_WHOLE_CAP)


async def stores(conn: Connection) -> set[UUID]:
    """Every store that a letter names, whatever the scope, also those that do not exist."""
    return {row["organization_id"] for row in await conn.fetch(_STORES)}


async def by_reason(conn: Connection, wanted: LetterFilter, *, limit: int) -> Sequence[Row]:
    """The wanted letters in scope, counted by reason."""
    return await conn.fetch(_GROUPS, *wanted.values, limit)


async def chosen(conn: Connection, wanted: LetterFilter, *, limit: int | None) -> Sequence[Row]:
    """Number and size of the wanted letters in scope, oldest first."""
    return await conn.fetch(_CHOSEN, *wanted.values, limit)


async def one(conn: Connection, number: int) -> Row | None:
    return await conn.fetchrow(_ONE, number)


async def open_ones(conn: Connection, ids: Collection[int]) -> Sequence[Row]:
    """Those of the letters that nobody settled meanwhile; nobody else redrives or discards until the transaction ends."""
    await conn.execute(_TURN)
    return await conn.fetch(_OPEN, sorted(ids))


async def mark_redriven(conn: Connection, ids: Collection[int]) -> None:
    """Their records are in the topic again; the letters keep position, headers and reason."""
    await conn.execute(_REDRIVEN, sorted(ids))


async def discard(conn: Connection, ids: Collection[int]) -> int:
    """Give them up for good: what the records said is forgotten, where they stood and why they failed is kept."""
    await conn.execute(_TURN)
    return len(await conn.fetch(_DISCARD, sorted(ids)))
