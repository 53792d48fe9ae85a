"""What is older than its store keeps leaves the tables, in pages along an index; as role wootstream_privacy, one store in
scope.

Each kind has `…_after` (the next page of what may leave: the first columns are its place) and `forget_…`.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from db.pool import Connection, Row
from db.privacy import chatwoot_deletions
from db.widget.daily import ZONE

# A sweep never keeps anybody waiting for long, nor waits for long itself: what is not done is done later.
_SHORTLY = """
select set_config('statement_timeout', '5s', true), set_config('lock_timeout', '500ms', true),
  set_config('plan_cache_mode', 'force_custom_plan', true)
"""
_CHATS = """
select started_at, conversation_id, contact_id, contact_digest from wootstream.conversations
where organization_id = $1 and started_at < $2 and (started_at, conversation_id) > ($3, $4)
order by started_at, conversation_id limit $5
"""
# Whoever has one in hand keeps it: it has news, or is swept the next night.
_LOCK_CHATS = """
select conversation_id from wootstream.conversations where organization_id = $1 and conversation_id = any ($2::int[])
order by conversation_id for update skip locked
"""
# By its newest fact, in a statement of its own: it sees what was kept before the lock.
_OVER = """
select k.id, (select count(*) from wootstream.messages m where m.organization_id = $1 and m.conversation_id = k.id) as messages
from unnest($2::int[]) as k (id)
where not exists (select from wootstream.messages m where m.organization_id = $1 and m.conversation_id = k.id and m.created_at >= $3)
  and not exists (select from wootstream.changes c where c.organization_id = $1 and c.conversation_id = k.id and c.changed_at >= $3)
  and not exists (select from wootstream.ratings r where r.organization_id = $1 and r.conversation_id = k.id and r.answered_at >= $3)
  and not exists (select from public.chatwoot_conversations v where v.organization_id = $1 and v.chatwoot_conversation_id = k.id
    and v.last_activity_at >= $3)
order by 1
"""
_COUNT_DAYS = f"""
insert into public.chatwoot_conversation_daily as d (organization_id, day, inbox_id, conversations, incoming_messages, outgoing_messages,
  surveys, first_responses, first_response_seconds, resolutions, resolution_seconds, replies, reply_seconds,
  rated_1, rated_2, rated_3, rated_4, rated_5)
select $1, (f.at at time zone z.zone)::date, f.inbox_id, count(*) filter (where f.what = 'begun'),
  count(*) filter (where f.what = 'incoming'), count(*) filter (where f.what = 'outgoing'), count(*) filter (where f.is_survey),
  count(*) filter (where f.what = 'first_response'), coalesce(sum(f.value) filter (where f.what = 'first_response'), 0),
  count(*) filter (where f.what = 'conversation_resolved'), coalesce(sum(f.value) filter (where f.what = 'conversation_resolved'), 0),
  count(*) filter (where f.what = 'reply_time'), coalesce(sum(f.value) filter (where f.what = 'reply_time'), 0),
  count(*) filter (where f.what = 'rated' and f.value = 1), count(*) filter (where f.what = 'rated' and f.value = 2),
  count(*) filter (where f.what = 'rated' and f.value = 3), count(*) filter (where f.what = 'rated' and f.value = 4),
  count(*) filter (where f.what = 'rated' and f.value = 5)
from ({ZONE.format(store="$1")}) z, (
  select 'begun' as what, false as is_survey, 0 as value, started_at as at, inbox_id
  from wootstream.conversations where organization_id = $1 and conversation_id = any ($2::int[])
  union all
  select m.message_type, m.kind = 'survey', 0, m.created_at, c.inbox_id
  from wootstream.messages m join wootstream.conversations c using (organization_id, conversation_id)
  where m.organization_id = $1 and m.conversation_id = any ($2::int[])
  union all
  select 'rated', false, r.rating, r.answered_at, c.inbox_id
  from wootstream.ratings r join wootstream.conversations c using (organization_id, conversation_id)
  where r.organization_id = $1 and r.conversation_id = any ($2::int[])
  union all
  select e.name, false, e.value, e.event_end, e.inbox_id
  from wootstream.chatwoot_reporting_events e where e.organization_id = $1 and e.chatwoot_conversation_id = any ($2::int[])
) f
where f.is_survey or f.what in ('begun', 'incoming', 'outgoing', 'first_response', 'conversation_resolved', 'reply_time', 'rated')
group by 2, 3 order by 2, 3
on conflict (organization_id, day, inbox_id) do update set
  conversations = d.conversations + excluded.conversations, incoming_messages = d.incoming_messages + excluded.incoming_messages,
  outgoing_messages = d.outgoing_messages + excluded.outgoing_messages, surveys = d.surveys + excluded.surveys,
  first_responses = d.first_responses + excluded.first_responses,
  first_response_seconds = d.first_response_seconds + excluded.first_response_seconds,
  resolutions = d.resolutions + excluded.resolutions, resolution_seconds = d.resolution_seconds + excluded.resolution_seconds,
  replies = d.replies + excluded.replies, reply_seconds = d.reply_seconds + excluded.reply_seconds,
  rated_1 = d.rated_1 + excluded.rated_1, rated_2 = d.rated_2 + excluded.rated_2, rated_3 = d.rated_3 + excluded.rated_3,
  rated_4 = d.rated_4 + excluded.rated_4, rated_5 = d.rated_5 + excluded.rated_5
"""  # noqa: S608
_CHAT_TABLES = (
    ("wootstream.messages", "conversation_id"), ("wootstream.changes", "conversation_id"),
    ("wootstream.ratings", "conversation_id"), ("wootstream.chatwoot_reporting_events", "chatwoot_conversation_id"),
    ("wootstream.imported", "conversation_id"), ("public.chatwoot_conversations", "chatwoot_conversation_id"),
    ("wootstream.conversations", "conversation_id"),
)  # fmt: skip
_FORGET_CHATS = tuple(
    f"delete from {table} where organization_id = $1 and {number} = any ($2::int[])"  # noqa: S608
    for table, number in _CHAT_TABLES
)
_LAST = "greatest(placed_at, paid_at, refunded_at, cancelled_at)"
_ORDERS = f"""
select {_LAST} as last_at, order_id, customer_id from wootstream.orders
where organization_id = $1 and {_LAST} < $2 and ({_LAST}, order_id) > ($3, $4) order by {_LAST}, order_id limit $5
"""  # noqa: S608
_LOCK_ORDERS = f"""
select order_id from wootstream.orders where organization_id = $1 and order_id = any ($2::text[]) and {_LAST} < $3
order by order_id for update skip locked
"""  # noqa: S608
_FORGET_ORDER_FACTS = """
delete from wootstream.shop_facts where organization_id = $1 and order_id = any ($2::text[]) returning customer_id
"""
_FORGET_ORDERS = "delete from wootstream.orders where organization_id = $1 and order_id = any ($2::text[])"
_FACTS = """
select happened_at, source, event_id, customer_id from wootstream.shop_facts
where organization_id = $1 and order_id is null and happened_at < $2 and (happened_at, source, event_id) > ($3, $4, $5)
order by happened_at, source, event_id limit $6
"""
_FORGET_FACTS = """
delete from wootstream.shop_facts f using unnest($2::text[], $3::text[]) as k (source, event_id)
where f.organization_id = $1 and f.source = k.source and f.event_id = k.event_id returning f.customer_id
"""
# A customer stays as long as anything that the shop said of them.
_LOCK_CUSTOMERS = """
select c.customer_id, not exists (
  select from wootstream.shop_facts f where f.organization_id = $1 and f.customer_id = c.customer_id) as is_over
from wootstream.customers c where c.organization_id = $1 and c.customer_id = any ($2::text[]) order by 1 for update of c
"""
_OUTDATED = (
    "update wootstream.customers set outdated = true where organization_id = $1 and customer_id = any ($2::text[])"
)
_FORGET_CUSTOMERS = (
    "delete from wootstream.customers where organization_id = $1 and customer_id = any ($2::text[])",
    "delete from wootstream.contact_absences where organization_id = $1 and customer_id = any ($2::text[])",
)
_VISITS = """
select first_at, customer_id, session_id from wootstream.visits
where organization_id = $1 and first_at < $2 and last_at < $2 and (first_at, customer_id, session_id) > ($3, $4, $5)
order by first_at, customer_id, session_id limit $6
"""
_FORGET_VISITS = """
delete from wootstream.visits v using unnest($3::text[], $4::text[]) as k (customer_id, session_id)
where v.organization_id = $1 and v.customer_id = k.customer_id and v.session_id = k.session_id and v.last_at < $2
"""
_TURN = "select pg_advisory_xact_lock(hashtext('wootstream/dead letters'))"  # redrive and discard take it, too
_FORGET_LETTERS = """
update wootstream.dead_letters set record_key = null, record_value = null, record_headers = null,
  discarded_at = coalesce(discarded_at, case when redriven_at is null then clock_timestamp() end)
where id in (
  select id from wootstream.dead_letters where {whose} and set_aside_at < $1
    and (record_key is not null or record_value is not null) order by set_aside_at, id limit $2)
"""
_FORGET_LETTERS_OF = _FORGET_LETTERS.format(whose="organization_id = $3")
_FORGET_LETTERS_OF_NOBODY = _FORGET_LETTERS.format(whose="organization_id is null")
_TRIM_LOG = "select wootstream.trim_audit_log($1, $2, $3)"
MOST_COUNTED = 1_000_000
_OLDER = {
    "chat": """
      select from wootstream.conversations c where c.organization_id = $1 and c.started_at < $2 and not exists (
        select from public.chatwoot_conversations v where v.organization_id = $1 and v.chatwoot_conversation_id = c.conversation_id
          and v.last_activity_at >= $2)""",
    "widget": "select from public.chatwoot_widget_events where organization_id = $1 and created_at < $2",
    "visits": "select from wootstream.visits where organization_id = $1 and first_at < $2 and last_at < $2",
    "shop": f"""
      select 1 from wootstream.orders where organization_id = $1 and {_LAST} < $2
      union all select 1 from wootstream.shop_facts where organization_id = $1 and order_id is null and happened_at < $2""",  # noqa: S608
    "dead_letters": """
      select from wootstream.dead_letters where organization_id = $1 and set_aside_at < $2
        and (record_key is not null or record_value is not null)""",
    "audit_log": "select from wootstream.audit_log where organization_id = $1 and at < $2",
}  # fmt: skip
_COUNT = {kind: f"select count(*) from ({rows} limit {MOST_COUNTED}) o" for kind, rows in _OLDER.items()}  # noqa: S608


async def shortly(conn: Connection) -> None:
    """Let this transaction wait half a second for a lock at most, and work for five."""
    await conn.execute(_SHORTLY)


async def chats_after(
    conn: Connection, store: UUID, before: datetime, after: tuple[datetime, int], most: int
) -> Sequence[Row]:
    """Conversations that began before then: started_at, conversation_id, contact_id, contact_digest."""
    return await conn.fetch(_CHATS, store, before, *after, most)


async def chats_over(conn: Connection, store: UUID, ids: Collection[int], before: datetime) -> Sequence[Row]:
    """Those in which nothing happened since: id, messages. Locked; what somebody else has locked is left out."""
    locked = await conn.fetch(_LOCK_CHATS, store, sorted(ids))
    return await conn.fetch(_OVER, store, [row["conversation_id"] for row in locked], before)


async def forget_chats(conn: Connection, store: UUID, ids: Collection[int]) -> int:
    """Conversations with all their facts, once these are counted in their days; how many rows. They must be locked."""
    await conn.execute(_COUNT_DAYS, store, list(ids))
    await chatwoot_deletions.note(conn, store, ids)
    return sum([_count(await conn.execute(statement, store, list(ids))) for statement in _FORGET_CHATS])


async def orders_after(
    conn: Connection, store: UUID, before: datetime, after: tuple[datetime, str], most: int
) -> Sequence[Row]:
    """Orders whose last step was before then: last_at, order_id, customer_id."""
    return await conn.fetch(_ORDERS, store, before, *after, most)


async def forget_orders(conn: Connection, store: UUID, ids: Collection[str], before: datetime) -> int:
    """Orders with their facts; what somebody else has locked stays. How many rows."""
    locked = [row["order_id"] for row in await conn.fetch(_LOCK_ORDERS, store, sorted(ids), before)]
    customers = await conn.fetch(_FORGET_ORDER_FACTS, store, locked)
    orders = _count(await conn.execute(_FORGET_ORDERS, store, locked))
    return len(customers) + orders + await _see_to_customers(conn, store, customers)


async def facts_after(
    conn: Connection, store: UUID, before: datetime, after: tuple[datetime, str, str], most: int
) -> Sequence[Row]:
    """What the shop said of customers themselves before then: happened_at, source, event_id, customer_id."""
    return await conn.fetch(_FACTS, store, before, *after, most)


async def forget_facts(conn: Connection, store: UUID, keys: Sequence[tuple[str, str]]) -> int:
    """Facts by (source, event id), and the customers of whom nothing else is known; how many rows."""
    columns = [[key[at] for key in keys] for at in (0, 1)]
    customers = await conn.fetch(_FORGET_FACTS, store, *columns)
    return len(customers) + await _see_to_customers(conn, store, customers)


async def _see_to_customers(conn: Connection, store: UUID, rows: Sequence[Row]) -> int:
    found = await conn.fetch(_LOCK_CUSTOMERS, store, sorted({row["customer_id"] for row in rows}))
    over = [row["customer_id"] for row in found if row["is_over"]]
    await conn.execute(_OUTDATED, store, [row["customer_id"] for row in found if not row["is_over"]])
    return sum([_count(await conn.execute(statement, store, over)) for statement in _FORGET_CUSTOMERS])


async def visits_after(
    conn: Connection, store: UUID, before: datetime, after: tuple[datetime, str, str], most: int
) -> Sequence[Row]:
    """Visits that ended before then: first_at, customer_id, session_id."""
    return await conn.fetch(_VISITS, store, before, *after, most)


async def forget_visits(conn: Connection, store: UUID, keys: Sequence[tuple[str, str]], before: datetime) -> int:
    """Visits by (customer, session), unless they went on meanwhile."""
    columns = [[key[at] for key in keys] for at in (0, 1)]
    return _count(await conn.execute(_FORGET_VISITS, store, before, *columns))


async def forget_letters(conn: Connection, store: UUID | None, before: datetime, *, most: int) -> int:
    """What records held that were set aside before then; how many. Where they stood and why they failed is kept. With
    None as role wootstream_service: records whose store cannot be read."""
    await conn.execute(_TURN)
    if store is None:
        return _count(await conn.execute(_FORGET_LETTERS_OF_NOBODY, before, most))
    return _count(await conn.execute(_FORGET_LETTERS_OF, before, most, store))


async def trim_log(conn: Connection, store: UUID | None, before: datetime, *, most: int) -> int:
    """Lines of the audit log, of no store with None; how many."""
    return int(await conn.fetchval(_TRIM_LOG, store, before, most))


def _count(status: str) -> int:
    """PostgreSQL's `DELETE 3`."""
    return int(status.rpartition(" ")[2])


async def older(conn: Connection, store: UUID, kind: str, before: datetime) -> int | None:
    """How much of a kind is older, a million at most: conversations, events, visits, orders with what the shop said of
    customers, letters or lines. None where no table holds it."""
    return int(await conn.fetchval(_COUNT[kind], store, before)) if kind in _COUNT else None
