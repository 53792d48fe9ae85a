"""The ledger: how far each group has come in each partition, and what became of each record."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from db.pool import Connection, Row

_LOCK = """
select partition, next_offset, anchor_offset, anchor_id, cluster_id, first_offset, era
from wootstream.ledger
where consumer_group = $1 and topic = $2 and partition = any ($3::int[])
order by partition for update
"""
# What a move does to its row: the counts are added, the position is set.
_MOVED_ON = """
  next_offset = m.next_offset, anchor_offset = coalesce(m.anchor_offset, l.anchor_offset), anchor_id = coalesce(m.anchor_id, l.anchor_id),
  consumed = l.consumed + m.applied + m.duplicate + m.ignored + m.dead,
  applied = l.applied + m.applied, duplicate = l.duplicate + m.duplicate, ignored = l.ignored + m.ignored, dead = l.dead + m.dead,
  hollow = l.hollow + m.hollow, redelivered = l.redelivered + m.redelivered, updated_at = clock_timestamp()
"""
# Arrays come by `(select $n)`, here and in _ENTER: where PostgreSQL sees how long one is, it takes each batch for a special
# case and plans anew, which costs three times what it then does.
_MOVES = """
unnest((select $3::int[]), $4::bigint[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
    $12::bigint[], $13::bigint[])
  as m (partition, next_offset, anchor_offset, anchor_id, applied, duplicate, ignored, dead, hollow, redelivered, from_offset)
"""
_MOVE = f"""
update wootstream.ledger l set {_MOVED_ON} from {_MOVES}
where l.consumer_group = $1 and l.topic = $2 and l.partition = m.partition
"""  # noqa: S608
# All that a batch asks before it begins, and what it is going to have done where nothing stands in its way, in one statement.
# `gone` and `erased` take the scope's row, so row security has it by then. `held` is how the rows stand once they are locked, `l`
# how they stood when the statement began: whoever had to wait for another's commit moves nothing here, for PostgreSQL would hold
# the old counts beside the new position against the table's checks before it looks at the new row.
_ENTER = f"""
with held as materialized (
  select partition, next_offset, anchor_offset, anchor_id, cluster_id, first_offset, era
  from wootstream.ledger
  where consumer_group = $1 and topic = $2 and partition = any ((select $3::int[])::int[])
  order by partition for update
),
scope as materialized (select set_config('wootstream.organizations', $14::uuid[]::text, true) as organizations),
gone as materialized (
  select array(
    select unnest((select $14::uuid[])) except select organization_id from public.chatwoot_accounts where scope.organizations is not null
  ) as stores,
  array(select organization_id from wootstream.erased_stores where scope.organizations is not null) as whole from scope
),
erased as materialized (
  select array_agg(s.store) as stores, array_agg(e.latest) as latest
  from scope cross join unnest((select $14::uuid[])) as s (store) cross join lateral (
    select max(received_before) as latest from wootstream.erased_subjects
    where organization_id = s.store and scope.organizations is not null
  ) as e where e.latest is not null
),
moved as (
  update wootstream.ledger l set {_MOVED_ON}
  from held join {_MOVES} on m.partition = held.partition and m.from_offset = held.next_offset
  where l.consumer_group = $1 and l.topic = $2 and l.partition = m.partition and l.next_offset = m.from_offset
  returning l.partition
)
select held.*, moved.partition is not null as is_moved, gone.stores as gone, gone.whole, erased.stores as erased, erased.latest
from held cross join gone cross join erased left join moved on moved.partition = held.partition
order by held.partition
"""  # noqa: S608
_LOOK = _LOCK.replace("for update", "")
# Sorted, so that two consumers that see a topic first lock in the same order.
_BEGIN = """
insert into wootstream.ledger (consumer_group, topic, partition, cluster_id, first_offset, next_offset)
select $1, $2, partition, $3, first_offset, first_offset from unnest($4::int[], $5::bigint[]) as u (partition, first_offset)
order by partition on conflict do nothing
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


class Move(NamedTuple):
    """What one transaction did in one partition. The new position and what became of each record up to it.

    `enter` makes the move where the row stands at `from_offset`; one without is only to be locked.
    """

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
    from_offset: int | None = None

    def beyond(self, made: "Move") -> "Move":
        """What is left of this move where that one, to the same position, was made already."""
        return self._replace(**{name: getattr(self, name) - getattr(made, name) for name in _COUNTS})

    @property
    def counts(self) -> bool:
        """Whether it says anything of any record."""
        return any(getattr(self, name) for name in _COUNTS)


@dataclass(frozen=True, slots=True)
class Entered:
    """What a batch knows once it has its place: the rows as they stood, and in which partitions it has moved already."""

    rows: dict[int, LedgerRow]
    gone: set[UUID]
    erased: dict[UUID, datetime]
    moved: frozenset[int] = frozenset()
    erased_whole: frozenset[UUID] = frozenset()  # stores of which not even a letter is kept


_PLACE = tuple(field.name for field in fields(LedgerRow))
_COUNTS = ("applied", "duplicate", "ignored", "dead", "hollow", "redelivered")


async def lock(conn: Connection, group: str, topic: str, partitions: Collection[int]) -> dict[int, LedgerRow]:
    """Lock these partitions' rows in sorted order until the transaction ends; absent ones are left out."""
    return _places(await conn.fetch(_LOCK, group, topic, list(partitions)))


async def enter(conn: Connection, group: str, topic: str, moves: Sequence[Move], stores: Collection[UUID]) -> Entered:
    """Lock the rows of these moves as above, make those that say from where, and let row security show these stores.

    All of it until the transaction ends; a row that stands elsewhere is locked and not moved. Without a row, no scope.

    Says also which of the stores were gone when it was asked, which is before it had the lock: what a store deleted
    meanwhile leaves behind, a foreign key refuses, and the second, careful attempt asks again. And until when, in which
    of them, something received may be about somebody who was erased: an erasure lets no batch ask while it is undecided.
    """
    rows = await conn.fetch(_ENTER, group, topic, *_columns(moves), list(stores))
    if not rows:
        return Entered({}, set(), {})
    erased = dict(zip(rows[0]["erased"] or (), rows[0]["latest"] or (), strict=True))
    moved = frozenset(row["partition"] for row in rows if row["is_moved"])
    return Entered(_places(rows), set(rows[0]["gone"]), erased, moved, frozenset(rows[0]["whole"]))


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
    await conn.execute(_MOVE, group, topic, *_columns(moves))


def _columns(moves: Sequence[Move]) -> Iterable[tuple[object, ...]]:
    return zip(*moves, strict=True) if moves else ((),) * len(Move._fields)


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
