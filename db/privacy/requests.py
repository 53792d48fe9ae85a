"""What people asked of a store, the steps of it that are done, and whom the law bids to keep."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from db.pool import Connection, Row

_ADD = """
insert into wootstream.privacy_requests (organization_id, id, kind, source, asked_at, deadline, subject, state, reason, fingerprint)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing returning id
"""
_REPEATED = """
select exists (select from wootstream.privacy_requests where organization_id = $1 and id <> $2 and fingerprint = $3
  and asked_at between $4::timestamptz - $5::interval and $4::timestamptz + $5::interval)
"""
# The oldest of each store: one that asks a million times fills nobody's memory.
_OPEN = """
select r.* from unnest($1::uuid[]) as s (organization_id), lateral (
  select * from wootstream.privacy_requests where organization_id = s.organization_id and state in ('asked', 'running')
  order by asked_at, id limit $2 for update
) as r
order by r.asked_at, r.id
"""
_UNSETTLED = """
select kind, state, count(*) as requests, min(deadline) as deadline from wootstream.privacy_requests
where state in ('asked', 'running', 'made') group by kind, state
"""
_LISTED = """
select r.organization_id, r.id, r.kind, r.source, r.asked_at, r.deadline, r.state, r.reason, r.finished_at,
  coalesce((select jsonb_object_agg(s.step, s.proof) from wootstream.privacy_steps s
    where s.organization_id = r.organization_id and s.request_id = r.id), '{}') as steps
from wootstream.privacy_requests r where $1::uuid is null or r.id = $1 order by r.asked_at desc, r.id limit $2
"""
_ONE = "select * from wootstream.privacy_requests where organization_id = $1 and id = $2 for update"
_MOVE = """
update wootstream.privacy_requests set state = $3, reason = $4, subject = case when $3 in ('done', 'refused') then null else coalesce($5, subject) end,
  export_key = case when $3 not in ('done', 'refused') then export_key end,
  finished_at = case when $3 in ('done', 'refused') then clock_timestamp() end
where organization_id = $1 and id = $2
"""
_WAITS = """
update wootstream.privacy_requests set reason = $3
where organization_id = $1 and id = $2 and state in ('asked', 'running', 'made') and reason is distinct from $3
"""
_DONE = """
insert into wootstream.privacy_steps (organization_id, request_id, step, proof) values ($1, $2, $3, $4) on conflict do nothing
"""
_STEPS = "select step from wootstream.privacy_steps where organization_id = $1 and request_id = $2"
_MADE = """
update wootstream.privacy_requests set state = 'made', export_key = $3, made_at = $4 where organization_id = $1 and id = $2
"""
_OPEN_OF_STORE = """
select * from wootstream.privacy_requests where organization_id = $1 and kind = any ($2::text[]) and state in ('asked', 'running', 'made')
order by asked_at, id for update
"""
_FORGET_KEYS = """
update wootstream.privacy_requests set export_key = null where organization_id = $1 and export_key is not null
  and made_at < $2::timestamptz - interval '1 day' * coalesce(
    (select days from wootstream.retention where organization_id = $1 and kind = 'exports'), $3::int)
"""
_HOLD = """
insert into wootstream.legal_holds (organization_id, digest, reason) select $1, unnest($2::bytea[]), $3
on conflict (organization_id, digest) do update set reason = excluded.reason
"""
_LIFT = "delete from wootstream.legal_holds where organization_id = $1 and digest = any ($2::bytea[]) returning digest"
_HELD = "select reason from wootstream.legal_holds where organization_id = $1 and digest = any ($2::bytea[]) order by since limit 1"


async def add(
    conn: Connection,
    store: UUID,
    request: UUID,
    *,
    kind: str,
    source: str,
    asked_at: datetime,
    deadline: datetime,
    subject: str | None,
    state: str = "asked",
    reason: str | None = None,
    fingerprint: bytes | None = None,
) -> bool:
    """Whether it is new; `subject` comes sealed."""
    columns = (store, request, kind, source, asked_at, deadline, subject, state, reason, fingerprint)
    return await conn.fetchval(_ADD, *columns) is not None


async def repeated(
    conn: Connection, store: UUID, request: UUID, fingerprint: bytes, asked_at: datetime, *, within: timedelta
) -> bool:
    """Whether another request of about that moment was asked by the same message."""
    return bool(await conn.fetchval(_REPEATED, store, request, fingerprint, asked_at, within))


async def open_ones(conn: Connection, stores: Collection[UUID], *, most: int) -> Sequence[Row]:
    """Those to go on with, the oldest first and so many of each store at most, locked."""
    return await conn.fetch(_OPEN, list(stores), most)


async def unsettled(conn: Connection) -> Sequence[Row]:
    """How many in scope are not settled, by kind and state, each with its nearest deadline."""
    return await conn.fetch(_UNSETTLED)


async def listed(conn: Connection, *, request: UUID | None = None, limit: int) -> Sequence[Row]:
    """Those in scope, the latest first, with the proofs of their steps; never whom they are about."""
    return await conn.fetch(_LISTED, request, limit)


async def one(conn: Connection, store: UUID, request: UUID) -> Row | None:
    """Locked until the transaction ends."""
    return await conn.fetchrow(_ONE, store, request)


async def move(
    conn: Connection, store: UUID, request: UUID, state: str, *, reason: str | None = None, subject: str | None = None
) -> None:
    """Once it is done or refused, whom it was about is forgotten."""
    await conn.execute(_MOVE, store, request, state, reason, subject)


async def waits(conn: Connection, store: UUID, request: UUID, reason: str | None) -> None:
    """For what one that is not settled waits; None: for nothing that we know of."""
    await conn.execute(_WAITS, store, request, reason)


async def made(conn: Connection, store: UUID, request: UUID, key: str, at: datetime) -> None:
    """An export lies sealed with this key, itself sealed, until it is fetched."""
    await conn.execute(_MADE, store, request, key, at)


async def open_of_store(conn: Connection, store: UUID, kinds: Collection[str]) -> Sequence[Row]:
    """The store's requests of these kinds that are not settled, locked."""
    return await conn.fetch(_OPEN_OF_STORE, store, list(kinds))


async def forget_keys(conn: Connection, store: UUID, now: datetime, *, days: int) -> None:
    """Of exports that were made so many days ago, or as many as the store says: their files open no more."""
    await conn.execute(_FORGET_KEYS, store, now, days)


async def step_done(conn: Connection, store: UUID, request: UUID, step: str, proof: dict[str, Any]) -> None:
    """In the transaction that did it."""
    await conn.execute(_DONE, store, request, step, proof)


async def steps_done(conn: Connection, store: UUID, request: UUID) -> set[str]:
    return {row["step"] for row in await conn.fetch(_STEPS, store, request)}


async def hold(conn: Connection, store: UUID, digests: Collection[bytes], reason: str) -> None:
    """Refuse erasures of whoever bears one of these names."""
    await conn.execute(_HOLD, store, list(digests), reason)


async def lift(conn: Connection, store: UUID, digests: Collection[bytes]) -> int:
    return len(await conn.fetch(_LIFT, store, list(digests)))


async def held(conn: Connection, store: UUID, digests: Collection[bytes]) -> str | None:
    """Why nobody may be erased who bears one of these names, or None."""
    reason: str | None = await conn.fetchval(_HELD, store, list(digests))
    return reason
