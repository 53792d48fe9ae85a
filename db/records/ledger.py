"""The ledger: how far each group has come in each partition, and what became of each record."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from db.pool import Connection, Row

_LOCK = """
select partition, next_offset, anchor_offset, anchor_id, cluster_id, first_offset, era
from wootstream.ledger
where consumer_group = $1 and topic = $2 and partition = any ($3::int[])
order by partition for update
"""
# All that a batch asks before it begins, in one statement. `gone` and `erased` take the scope's row, so row security has it by then.
# Arrays come by `(select $n)`, here and in _MOVE: where PostgreSQL sees how long one is, it takes each batch for a special
# case and plans anew, which costs three times what it then does.
_ENTER = """
with scope as materialized (select set_config('wootstream.organizations', $4::uuid[]::text, true) as organizations),
gone as materialized (
  select array(
    select unnest((select $4::uuid[])) except select organization_id from public.chatwoot_accounts where scope.organizations is not null
  ) as stores from scope
),
erased as materialized (
  select array_agg(s.store) as stores, array_agg(e.latest) as latest
  from scope cross join unnest((select $4::uuid[])) as s (store) cross join lateral (
    select max(received_before) as latest from wootstream.erased_subjects
    where organization_id = s.store and scope.organizations is not null
  ) as e where e.latest is not null
)
select l.partition, l.next_offset, l.anchor_offset, l.anchor_id, l.cluster_id, l.first_offset, l.era, gone.stores as gone,
  erased.stores as erased, erased.latest
from gone cross join erased cross join wootstream.ledger l
where l.consumer_group = $1 and l.topic = $2 and l.partition = any ((select $3::int[])::int[])
order by l.partition for update of l
"""
_LOOK = _LOCK.replace("for update", "")
# Sorted, so that two consumers that see a topic first lock in the same order.
_BEGIN = """
insert into wootstream.ledger (consumer_group, topic, partition, cluster_id, first_offset, next_offset)
select $1, $2, partition, $3, first_offset, first_offset from unnest($4::int[], $5::bigint[]) as u (partition, first_offset)
order by partition on conflict do nothing
"""
_MOVE = """
update wootstream.ledger l set
  next_offset = m.next_offset, anchor_offset = coalesce(m.anchor_offset, l.anchor_offset), anchor_id = coalesce(m.anchor_id, l.anchor_id),
  consumed = l.consumed + m.applied + m.duplicate + m.ignored + m.dead,
  applied = l.applied + m.applied, duplicate = l.duplicate + m.duplicate, ignored = l.ignored + m.ignored, dead = l.dead + m.dead,
  hollow = l.hollow + m.hollow, redelivered = l.redelivered + m.redelivered, updated_at = clock_timestamp()
from unnest((select $3::int[]), $4::bigint[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
    $12::bigint[])
  as m (partition, next_offset, anchor_offset, anchor_id, applied, duplicate, ignored, dead, hollow, redelivered)
where l.consumer_group = $1 and l.topic = $2 and l.partition = m.partition
"""
# Only from the position that was looked at: whoever moved it meanwhile has seen more.
_SKIP = """
update wootstream.ledger
set next_offset = next_offset + $5 + $6, lost = lost + $5, hollow = hollow + $6, updated_at = clock_timestamp()
where consumer_group = $1 and topic = $2 and partition = $3 and next_offset = $4
returning partition
"""
_LOSE = """
insert into wootstream.losses (consumer_group, topic, partition, first_offset, next_offset) values ($1, $2, $3, $4, $5)
"""
_CLOSE = """
insert into wootstream.ledger_history
select l.*, clock_timestamp(), $4 from wootstream.ledger l where consumer_group = $1 and topic = $2 and partition = $3
"""
_ADOPT = """
update wootstream.ledger set
  era = era + 1, cluster_id = $4, first_offset = $5, next_offset = $5, anchor_offset = null, anchor_id = null,
  consumed = 0, applied = 0, duplicate = 0, ignored = 0, dead = 0, lost = 0, hollow = 0, redelivered = 0, updated_at = clock_timestamp()
where consumer_group = $1 and topic = $2 and partition = $3
"""
_ALL = "select * from wootstream.ledger order by consumer_group, topic, partition"


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """Where a group stands in one partition."""

    partition: int
    next_offset: int
    anchor_offset: int | None
    anchor_id: str | None
    cluster_id: str
    first_offset: int
    era: int


@dataclass(frozen=True, slots=True)
class Move:
    """What one transaction did in one partition. The new position and what became of each record up to it."""

    partition: int
    next_offset: int
    anchor_offset: int | None = None
    anchor_id: str | None = None
    applied: int = 0
    duplicate: int = 0
    ignored: int = 0
    dead: int = 0
    hollow: int = 0
    redelivered: int = 0


@dataclass(frozen=True, slots=True)
class Entered:
    """What a batch knows once it has its place. Without a row, no scope."""

    rows: dict[int, LedgerRow]
    gone: set[UUID]
    erased: dict[UUID, datetime]


_PLACE = tuple(field.name for field in fields(LedgerRow))
_MOVED = tuple(field.name for field in fields(Move))


async def lock(conn: Connection, group: str, topic: str, partitions: Collection[int]) -> dict[int, LedgerRow]:
    """Lock these partitions' rows in sorted order until the transaction ends; absent ones are left out."""
    return _places(await conn.fetch(_LOCK, group, topic, list(partitions)))


async def enter(
    conn: Connection, group: str, topic: str, partitions: Collection[int], stores: Collection[UUID]
) -> Entered:
    """Lock as above, and let row security show these stores: both until the transaction ends. Without a row, no scope.

    Says also which of the stores were gone when it was asked, which is before it had the lock: what a store deleted
    meanwhile leaves behind, a foreign key refuses, and the second, careful attempt asks again. And until when, in which
    of them, something received may be about somebody who was erased: an erasure lets no batch ask while it is undecided.
    """
    rows = await conn.fetch(_ENTER, group, topic, list(partitions), list(stores))
    if not rows:
        return Entered({}, set(), {})
    erased = dict(zip(rows[0]["erased"] or (), rows[0]["latest"] or (), strict=True))
    return Entered(_places(rows), set(rows[0]["gone"]), erased)


async def look(conn: Connection, group: str, topic: str, partitions: Collection[int]) -> dict[int, LedgerRow]:
    """The same without a lock."""
    return _places(await conn.fetch(_LOOK, group, topic, list(partitions)))


def _places(rows: Iterable[Row]) -> dict[int, LedgerRow]:
    return {row["partition"]: LedgerRow(*(row[name] for name in _PLACE)) for row in rows}


async def begin(conn: Connection, group: str, topic: str, begins: Mapping[int, int], *, cluster_id: str) -> None:
    """First sight of partitions: count from where each log begins. Whoever comes second changes nothing."""
    await conn.execute(_BEGIN, group, topic, cluster_id, list(begins), list(begins.values()))


async def move(conn: Connection, group: str, topic: str, moves: Sequence[Move]) -> None:
    """Advance the locked rows; the table's checks refuse counts that do not add up to the position."""
    await conn.execute(_MOVE, group, topic, *([getattr(one, name) for one in moves] for name in _MOVED))


async def skip(conn: Connection, group: str, topic: str, place: LedgerRow, *, lost: int, hollow: int) -> bool:
    """Account for offsets that hold no record for us: lost to retention, or hollow. False if the row has moved meanwhile."""
    moved = await conn.fetchval(_SKIP, group, topic, place.partition, place.next_offset, lost, hollow)
    if moved is not None and lost:
        await lose(conn, group, topic, place.partition, first=place.next_offset, next_=place.next_offset + lost)
    return moved is not None


async def lose(conn: Connection, group: str, topic: str, partition: int, *, first: int, next_: int) -> None:
    """Name a range that this group will never read."""
    await conn.execute(_LOSE, group, topic, partition, first, next_)


async def adopt(
    conn: Connection, group: str, topic: str, partition: int, *, cluster_id: str, offset: int, reason: str
) -> None:
    """Close the row into the history and begin a new one at `offset`: the topic's log is another one now."""
    await conn.execute(_CLOSE, group, topic, partition, reason)
    await conn.execute(_ADOPT, group, topic, partition, cluster_id, offset)


async def everything(conn: Connection) -> Sequence[Row]:
    """All rows, for the audit and for `offsets show`."""
    return await conn.fetch(_ALL)
