"""Rows of conversations: the head that facts hang on, the specification's table, Chatwoot's reporting events.

The multi-row statements want their rows sorted by their key, so that two batches lock in one order.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from db.pool import Connection, Row
from db.reporting.facts import Key

_HEAD = "c.organization_id, c.conversation_id, seen_at, seen_sent_at, seen_digest, seen, event_count, events_digest, walked, c.status, c.rating, c.not_reckoned_since"
# In one order everywhere: two batches wait for each other, and never crosswise.
_LOCK = f"""
select {_HEAD}
from unnest($1::uuid[], $2::int[]) as k (organization_id, conversation_id)
join wootstream.conversations c on c.organization_id = k.organization_id and c.conversation_id = k.conversation_id
order by 1, 2 for update of c
"""  # noqa: S608
_LOOK = _LOCK.replace(" for update of c", "")
_BEGIN = f"""
insert into wootstream.conversations as c (organization_id, conversation_id)
select * from unnest($1::uuid[], $2::int[]) order by 1, 2 on conflict do nothing
returning {_HEAD}
"""  # noqa: S608
_PUT_HEADS = """
update wootstream.conversations c set
  seen_at = n.seen_at, seen_sent_at = n.seen_sent_at, seen_digest = n.seen_digest, seen = n.seen::jsonb,
  status = n.status, inbox_id = n.inbox_id, contact_id = n.contact_id, assignee_id = n.assignee_id,
  assignee_type = n.assignee_type, team_id = n.team_id, priority = n.priority,
  labels = array(select jsonb_array_elements_text(n.labels::jsonb)), started_at = n.started_at,
  first_reply_at = n.first_reply_at, waiting_since = n.waiting_since, snoozed_until = n.snoozed_until,
  unanswered_since = n.unanswered_since, counts = n.counts::jsonb, resolutions = n.resolutions, reopenings = n.reopenings,
  lost_changes = n.lost_changes, approximate = n.approximate, unknown_openers = n.unknown_openers,
  rating = n.rating, event_count = n.event_count, events_digest = n.events_digest,
  walked = n.walked::jsonb, not_reckoned_since = null, updated_at = now()
from unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::timestamptz[], $5::bytea[], $6::text[], $7::text[], $8::int[],
  $9::int[], $10::int[], $11::text[], $12::int[], $13::text[], $14::text[], $15::timestamptz[], $16::timestamptz[],
  $17::timestamptz[], $18::timestamptz[], $19::timestamptz[], $20::text[], $21::int[], $22::int[], $23::int[], $24::int[],
  $25::int[], $26::int2[], $27::int[], $28::bytea[], $29::text[])
  as n (organization_id, conversation_id, seen_at, seen_sent_at, seen_digest, seen, status, inbox_id, contact_id,
    assignee_id, assignee_type, team_id, priority, labels, started_at, first_reply_at, waiting_since, snoozed_until,
    unanswered_since, counts, resolutions, reopenings, lost_changes, approximate, unknown_openers, rating, event_count, events_digest, walked)
where c.organization_id = n.organization_id and c.conversation_id = n.conversation_id
"""
_PUT_OFF = """
update wootstream.conversations c set not_reckoned_since = now()
from unnest($1::uuid[], $2::int[]) as k (organization_id, conversation_id)
where c.organization_id = k.organization_id and c.conversation_id = k.conversation_id and c.not_reckoned_since is null
"""
_PUT_ROWS = """
insert into public.chatwoot_conversations as c (organization_id, chatwoot_account_id, chatwoot_conversation_id,
  chatwoot_contact_id, status, assignee_id, assignee_type, assignee_name, inbox_id, inbox_name, first_response_time,
  resolution_time, message_count, satisfaction_rating, conversation_started_at, conversation_resolved_at, last_activity_at)
select * from unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::text[], $6::int[], $7::text[], $8::text[], $9::int[],
  $10::text[], $11::interval[], $12::interval[], $13::int[], $14::int[], $15::timestamptz[], $16::timestamptz[],
  $17::timestamptz[]) order by 1, 2, 3
on conflict (organization_id, chatwoot_account_id, chatwoot_conversation_id) do update set
  chatwoot_contact_id = excluded.chatwoot_contact_id, status = excluded.status, assignee_id = excluded.assignee_id,
  assignee_type = excluded.assignee_type, assignee_name = excluded.assignee_name, inbox_id = excluded.inbox_id,
  inbox_name = excluded.inbox_name, first_response_time = excluded.first_response_time,
  resolution_time = excluded.resolution_time, message_count = excluded.message_count,
  satisfaction_rating = excluded.satisfaction_rating, conversation_started_at = excluded.conversation_started_at,
  conversation_resolved_at = excluded.conversation_resolved_at, last_activity_at = excluded.last_activity_at,
  updated_at = now()
"""
# What the shop knew of the customer when the conversation was first heard of: written once, never again.
_CUSTOMERS = """
select k.organization_id, k.conversation_id, u.customer_tier, u.order_count, a.currency,
  (u.spent ->> a.currency)::bigint as spent_minor
from unnest($1::uuid[], $2::int[], $3::int[]) as k (organization_id, conversation_id, contact_id)
join public.chatwoot_accounts a on a.organization_id = k.organization_id and a.account_status <> 'deleted'
join public.chatwoot_contacts t on t.organization_id = k.organization_id
  and t.chatwoot_account_id = a.chatwoot_account_id and t.chatwoot_contact_id = k.contact_id
cross join lateral wootstream.customer_for(t.organization_id, t.customer_id, t.email_key, t.phone_key) w
join wootstream.customers u on u.organization_id = k.organization_id and u.customer_id = w.customer_id
"""
_PUT_CUSTOMERS = """
update public.chatwoot_conversations c set customer_tier = n.customer_tier, order_count = n.order_count,
  customer_currency = n.currency, customer_value = n.value
from unnest($1::uuid[], $2::int[], $3::text[], $4::int[], $5::text[], $6::numeric[])
  as n (organization_id, conversation_id, customer_tier, order_count, currency, value)
where c.organization_id = n.organization_id and c.chatwoot_conversation_id = n.conversation_id
"""
# An equal row is not written: it would be a dead one for vacuum with each message.
_PUT_EVENTS = """
insert into wootstream.chatwoot_reporting_events as e
  (organization_id, chatwoot_conversation_id, ordinal, name, value, user_id, inbox_id, event_start, event_end, approximate)
select * from unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::int[], $6::int[], $7::int[], $8::timestamptz[],
  $9::timestamptz[], $10::bool[]) order by 1, 2, 3
on conflict (organization_id, chatwoot_conversation_id, ordinal) do update set
  name = excluded.name, value = excluded.value, user_id = excluded.user_id, inbox_id = excluded.inbox_id,
  event_start = excluded.event_start, event_end = excluded.event_end, approximate = excluded.approximate
where (e.name, e.value, e.user_id, e.inbox_id, e.event_start, e.event_end, e.approximate) is distinct from
  (excluded.name, excluded.value, excluded.user_id, excluded.inbox_id, excluded.event_start, excluded.event_end, excluded.approximate)
"""
_TRIM_EVENTS = """
delete from wootstream.chatwoot_reporting_events e
using unnest($1::uuid[], $2::int[], $3::int[]) as k (organization_id, conversation_id, event_count)
where e.organization_id = k.organization_id and e.chatwoot_conversation_id = k.conversation_id
  and e.ordinal >= k.event_count
"""


class HeadRow(NamedTuple):
    """The columns of _PUT_HEADS; `seen`, `labels`, `counts` and `walked` are JSON."""

    organization_id: UUID
    conversation_id: int
    seen_at: datetime
    seen_sent_at: datetime
    seen_digest: bytes
    seen: str
    status: str
    inbox_id: int
    contact_id: int | None
    assignee_id: int | None
    assignee_type: str | None
    team_id: int | None
    priority: str | None
    labels: str
    started_at: datetime
    first_reply_at: datetime | None
    waiting_since: datetime | None
    snoozed_until: datetime | None
    unanswered_since: datetime | None
    counts: str
    resolutions: int
    reopenings: int
    lost_changes: int
    approximate: int
    unknown_openers: int
    rating: int | None
    event_count: int
    events_digest: bytes
    walked: str


class ConversationRow(NamedTuple):
    """The columns of _PUT_ROWS."""

    organization_id: UUID
    chatwoot_account_id: int
    chatwoot_conversation_id: int
    chatwoot_contact_id: int | None
    status: str
    assignee_id: int | None
    assignee_type: str | None
    assignee_name: str | None
    inbox_id: int
    inbox_name: str | None
    first_response_time: timedelta | None
    resolution_time: timedelta | None
    message_count: int
    satisfaction_rating: int | None
    conversation_started_at: datetime
    conversation_resolved_at: datetime | None
    last_activity_at: datetime


class ConversationCustomerRow(NamedTuple):
    """The columns of _PUT_CUSTOMERS."""

    organization_id: UUID
    conversation_id: int
    customer_tier: str | None
    order_count: int
    currency: str
    value: Decimal


class ReportingEventRow(NamedTuple):
    """The columns of _PUT_EVENTS."""

    organization_id: UUID
    chatwoot_conversation_id: int
    ordinal: int
    name: str
    value: int
    user_id: int | None
    inbox_id: int
    event_start: datetime
    event_end: datetime
    approximate: bool


class EventCountRow(NamedTuple):
    """The columns of _TRIM_EVENTS."""

    organization_id: UUID
    conversation_id: int
    event_count: int


async def lock(conn: Connection, keys: Collection[Key]) -> Sequence[Row]:
    """The heads of these conversations, locked in order; those never heard of before are begun."""
    heads = await conn.fetch(_LOCK, *zip(*sorted(keys), strict=True))
    # What is not there cannot be locked. Nearly all are: beginning comes second, and not with every batch.
    begun = _absent(keys, heads)
    if begun:
        heads = [*heads, *await conn.fetch(_BEGIN, *zip(*begun, strict=True))]
    # Somebody else began it meanwhile.
    if others := _absent(begun, heads):
        heads = [*heads, *await conn.fetch(_LOCK, *zip(*others, strict=True))]
    return heads


def _absent(keys: Collection[Key], heads: Collection[Row]) -> Sequence[Key]:
    there = {(head["organization_id"], head["conversation_id"]) for head in heads}
    return sorted(key for key in keys if key not in there)


async def look(conn: Connection, key: Key) -> Row | None:
    """The head of a conversation as it is, not locked."""
    organization, conversation = key
    return await conn.fetchrow(_LOOK, [organization], [conversation])


async def put_heads(conn: Connection, rows: Collection[HeadRow]) -> None:
    """What is known and reckoned of each; the heads must be locked."""
    await conn.execute(_PUT_HEADS, *zip(*rows, strict=True))


async def put_off(conn: Connection, keys: Collection[Key]) -> None:
    """Note since when these are not reckoned any more; the heads must be locked."""
    await conn.execute(_PUT_OFF, *zip(*sorted(keys), strict=True))


async def put_rows(conn: Connection, rows: Collection[ConversationRow]) -> None:
    """The specification's rows."""
    if rows:
        await conn.execute(_PUT_ROWS, *zip(*rows, strict=True))


async def customers(conn: Connection, contacts: Collection[tuple[UUID, int, int]]) -> Sequence[Row]:
    """Tier, orders and spending of the customers behind these (store, conversation, contact), where they are known."""
    return await conn.fetch(_CUSTOMERS, *zip(*contacts, strict=True)) if contacts else ()


async def put_customers(conn: Connection, rows: Collection[ConversationCustomerRow]) -> None:
    """What they were when the conversation began."""
    if rows:
        await conn.execute(_PUT_CUSTOMERS, *zip(*rows, strict=True))


async def put_events(conn: Connection, rows: Collection[ReportingEventRow]) -> None:
    """Reporting events by their place in the conversation's life."""
    if rows:
        await conn.execute(_PUT_EVENTS, *zip(*rows, strict=True))


async def trim_events(conn: Connection, counts: Collection[EventCountRow]) -> None:
    """Remove what a late fact made too many."""
    if counts:
        await conn.execute(_TRIM_EVENTS, *zip(*sorted(counts), strict=True))
