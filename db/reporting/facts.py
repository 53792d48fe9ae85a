"""Facts of conversations: kept once by their own keys, read back for reckoning.

Every keeping statement is one for the batch, sorted by its key, and returns the (store, conversation) and key of what
was news.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from db.pool import Connection, Row

Key = tuple[UUID, int]

# The rules of figures/facts.better_message again, for what other batches kept.
_KEEP_MESSAGES = """
insert into wootstream.messages as m
  (organization_id, conversation_id, message_id, kind, message_type, private, sender_id, created_at, deleted, speaker)
select * from unnest($1::uuid[], $2::int[], $3::bigint[], $4::text[], $5::text[], $6::bool[], $7::int[],
  $8::timestamptz[], $9::bool[], $10::text[]) order by 1, 2, 3
on conflict (organization_id, conversation_id, message_id) do update set
  deleted = m.deleted or excluded.deleted,
  kind = case when 'campaign' in (m.kind, excluded.kind) then 'campaign' when m.sender_id is null then excluded.kind
    else m.kind end,
  sender_id = coalesce(m.sender_id, excluded.sender_id),
  speaker = coalesce(m.speaker, excluded.speaker),
  created_at = greatest(m.created_at, excluded.created_at)
where excluded.deleted > m.deleted or (m.sender_id is null and excluded.sender_id is not null)
  or (m.speaker is null and excluded.speaker is not null) or excluded.created_at > m.created_at or (excluded.kind = 'campaign' and m.kind <> 'campaign')
returning organization_id, conversation_id, message_id
"""
_KEEP_CHANGES = """
insert into wootstream.changes (organization_id, conversation_id, attribute, changed_at, previous, current)
select * from unnest($1::uuid[], $2::int[], $3::text[], $4::timestamptz[], $5::text[], $6::text[])
order by 1, 2, 4, 3, 5, 6
on conflict do nothing
returning organization_id, conversation_id, attribute, changed_at, previous, current
"""
# Of several answers the latest, compared as figures/facts.Rating compares.
_KEEP_RATINGS = """
insert into wootstream.ratings as r (organization_id, conversation_id, message_id, answered_at, sent_at, rating)
select * from unnest($1::uuid[], $2::int[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::int2[]) order by 1, 2, 3
on conflict (organization_id, conversation_id, message_id) do update set
  answered_at = excluded.answered_at, sent_at = excluded.sent_at, rating = excluded.rating
where (excluded.answered_at, excluded.sent_at, excluded.rating) > (r.answered_at, r.sent_at, r.rating)
returning organization_id, conversation_id, message_id, answered_at, sent_at, rating
"""
# The third parameters are each conversation's checkpoint: nothing before that is needed. The fourth is how many rows of a
# conversation are read, the fifth how many of all.
_MESSAGES = """
select m.organization_id, m.conversation_id, message_id, kind, message_type, private, sender_id, created_at, deleted, speaker
from unnest($1::uuid[], $2::int[], $3::bigint[]) as k (organization_id, conversation_id, walked), lateral (
  select * from wootstream.messages where organization_id = k.organization_id and conversation_id = k.conversation_id
    and message_id > k.walked limit $4
) as m limit $5
"""
_CHANGES = """
select c.organization_id, c.conversation_id, attribute, changed_at, previous, current
from unnest($1::uuid[], $2::int[], $3::timestamptz[]) as k (organization_id, conversation_id, walked), lateral (
  select * from wootstream.changes where organization_id = k.organization_id and conversation_id = k.conversation_id
    and changed_at > k.walked limit $4
) as c limit $5
"""
# The latest counts.
_MOST_RATINGS = 100
_RATINGS = """
select r.organization_id, r.conversation_id, message_id, answered_at, sent_at, rating
from unnest($1::uuid[], $2::int[]) as k (organization_id, conversation_id), lateral (
  select * from wootstream.ratings where organization_id = k.organization_id and conversation_id = k.conversation_id
  order by answered_at desc, sent_at desc, rating desc limit $3
) as r
"""


class MessageRow(NamedTuple):
    """The columns of _KEEP_MESSAGES."""

    organization_id: UUID
    conversation_id: int
    message_id: int
    kind: str
    message_type: str
    private: bool
    sender_id: int | None
    created_at: datetime
    deleted: bool
    speaker: str | None


class ChangeRow(NamedTuple):
    """The columns of _KEEP_CHANGES."""

    organization_id: UUID
    conversation_id: int
    attribute: str
    changed_at: datetime
    previous: str
    current: str


class RatingRow(NamedTuple):
    """The columns of _KEEP_RATINGS."""

    organization_id: UUID
    conversation_id: int
    message_id: int
    answered_at: datetime
    sent_at: datetime
    rating: int


async def keep_messages(conn: Connection, rows: Collection[MessageRow]) -> Sequence[Row]:
    """A deleted message stays, marked; a sender once known stays known, as do a campaign and the more exact moment."""
    return await _keep(conn, _KEEP_MESSAGES, rows)


async def keep_changes(conn: Connection, rows: Collection[ChangeRow]) -> Sequence[Row]:
    """A change is kept once, however often it is told (label changes always come twice)."""
    return await _keep(conn, _KEEP_CHANGES, rows)


async def keep_ratings(conn: Connection, rows: Collection[RatingRow]) -> Sequence[Row]:
    """Of several answers to one survey the latest stays."""
    return await _keep(conn, _KEEP_RATINGS, rows)


async def _keep(conn: Connection, statement: str, rows: Collection[tuple[object, ...]]) -> Sequence[Row]:
    return await conn.fetch(statement, *zip(*rows, strict=True)) if rows else ()


async def messages(conn: Connection, after: Sequence[tuple[UUID, int, int]], each: int, most: int) -> Sequence[Row]:
    """Messages of these conversations with a greater id than the one given for each, so many of `each` and `most` of
    all."""
    return await conn.fetch(_MESSAGES, *zip(*after, strict=True), each, most)


async def changes(conn: Connection, after: Sequence[tuple[UUID, int, object]], each: int, most: int) -> Sequence[Row]:
    """Changes of these conversations after the moment given for each, as many."""
    return await conn.fetch(_CHANGES, *zip(*after, strict=True), each, most)


async def ratings(conn: Connection, keys: Sequence[Key]) -> Sequence[Row]:
    """The latest ratings of these conversations."""
    return await conn.fetch(_RATINGS, *zip(*keys, strict=True), _MOST_RATINGS)
