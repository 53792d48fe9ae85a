"""How long each store keeps each kind, from when on all of it is there, and when everything older last left.

A moment moves on an hour before anything behind it goes: by then no transaction goes on that knew the one before.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from db.pool import Connection, Row
from db.widget.daily import ZONE

_SINCE = "select organization_id, since from wootstream.retained_since($1)"
_BEGIN = """
insert into wootstream.retention (organization_id, kind) select s, k from unnest($1::uuid[]) s, unnest($2::text[]) k order by 1, 2
on conflict do nothing
"""
# On to the beginning of a day of the store's calendar, never back: what is gone does not come back.
_MOVE = f"""
update wootstream.retention r set since = to_be.since, moved_at = $1
from (
  select k.organization_id, k.kind,
    date_trunc('day', $1::timestamptz at time zone z.zone - coalesce(k.days, d.days) * interval '1 day') at time zone z.zone as since
  from wootstream.retention k join unnest($2::text[], $3::int[]) as d (kind, days) on d.kind = k.kind,
    lateral ({ZONE.format(store="k.organization_id")}) z
) to_be
where to_be.organization_id = r.organization_id and to_be.kind = r.kind and (r.since is null or to_be.since > r.since)
"""  # noqa: S608
_SETTLED = """
select organization_id, days, since,
  exists (select from wootstream.legal_holds h where h.organization_id = r.organization_id) as is_held
from wootstream.retention r where kind = $2 and moved_at <= $1::timestamptz - interval '1 hour' order by organization_id
"""
# Nightly: at three of the store's own clock, or as soon as it can be after that.
_DUE = f"""
select r.organization_id, r.kind, r.since
from wootstream.retention r, lateral ({ZONE.format(store="r.organization_id")}) z,
  lateral (select date_trunc('day', $1::timestamptz at time zone z.zone - interval '3 hours') + interval '3 hours' as at) night
where r.kind = any ($2::text[]) and r.moved_at <= $1::timestamptz - interval '1 hour'
  and coalesce(r.swept_at, '-infinity') < night.at at time zone z.zone
order by r.swept_at nulls first, r.organization_id, r.kind
"""  # noqa: S608
_SWEPT = "update wootstream.retention set swept_at = $3 where organization_id = $1 and kind = $2"
_SWEPT_LAST = """
select kind, min(coalesce(swept_at, begun_at)) as swept_at from wootstream.retention
where kind = any ($1::text[]) and organization_id = any ($2::uuid[]) and moved_at is not null group by kind
"""
_SET = """
insert into wootstream.retention (organization_id, kind, days, in_chatwoot) values ($1, $2, $3, coalesce($4, false))
on conflict (organization_id, kind) do update set days = excluded.days, in_chatwoot = coalesce($4, wootstream.retention.in_chatwoot)
"""
_OF_STORE = "select kind, days, since, swept_at, in_chatwoot from wootstream.retention where organization_id = $1"
_WOULD_BE = f"""
select greatest(
  date_trunc('day', $2::timestamptz at time zone z.zone - $3 * interval '1 day') at time zone z.zone,
  (select since from wootstream.retention where organization_id = $1 and kind = $4))
from ({ZONE.format(store="$1")}) z
"""  # noqa: S608
_HELD = "select digest from wootstream.legal_holds where organization_id = $1"


async def since(conn: Connection, kind: str) -> dict[UUID, datetime]:
    """Store → the moment from which on it keeps this kind; whatever the scope. One that keeps all is not in it."""
    return {row["organization_id"]: row["since"] for row in await conn.fetch(_SINCE, kind)}


async def move(conn: Connection, stores: Collection[UUID], kinds: Mapping[str, int], now: datetime) -> None:
    """Put each moment forward to the day that is the last to be kept; those in scope. `kinds` with the days of those who
    said nothing."""
    await conn.execute(_BEGIN, sorted(stores), sorted(kinds))
    await conn.execute(_MOVE, now, list(kinds), list(kinds.values()))


async def settled(conn: Connection, kind: str, now: datetime) -> Sequence[Row]:
    """Stores in scope whose moment moved an hour ago or earlier: organization_id, days (or None), since,
    is_held (whether the law bids to keep somebody's)."""
    return await conn.fetch(_SETTLED, now, kind)


async def due(conn: Connection, kinds: Collection[str], now: datetime) -> Sequence[Row]:
    """What was not swept since last night, of those in scope, who waits longest first: organization_id, kind, since."""
    return await conn.fetch(_DUE, now, list(kinds))


async def swept(conn: Connection, store: UUID, kind: str, now: datetime) -> None:
    """Everything older has left."""
    await conn.execute(_SWEPT, store, kind, now)


async def swept_last(conn: Connection, stores: Collection[UUID], kinds: Collection[str]) -> dict[str, datetime]:
    """Kind → since when everything older has left everywhere; of these stores, in scope."""
    return {row["kind"]: row["swept_at"] for row in await conn.fetch(_SWEPT_LAST, list(kinds), list(stores))}


async def keep(conn: Connection, store: UUID, kind: str, days: int, *, in_chatwoot: bool | None = None) -> None:
    """Let this store keep a kind for so many days from now on; `in_chatwoot` None: as it was."""
    await conn.execute(_SET, store, kind, days, in_chatwoot)


async def of_store(conn: Connection, store: UUID) -> dict[str, Row]:
    """What the store said of each kind, and how far that has come: days (or None), since, swept_at, in_chatwoot."""
    return {row["kind"]: row for row in await conn.fetch(_OF_STORE, store)}


async def would_be(conn: Connection, store: UUID, kind: str, days: int, now: datetime) -> datetime:
    """From when on the store would keep this kind if it kept it for so many days."""
    moment: datetime = await conn.fetchval(_WOULD_BE, store, now, days, kind)
    return moment


async def held(conn: Connection, store: UUID) -> frozenset[bytes]:
    """Hashes of the names of those whom the law bids the store to keep."""
    return frozenset(row["digest"] for row in await conn.fetch(_HELD, store))
