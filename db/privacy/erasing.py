"""A person leaves the tables: rows that are theirs go, rows that figures are made of stay and name nobody.

As role wootstream_privacy, one store in scope. Each answers how many rows it changed.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from db.pool import Connection, Row
from db.widget.daily import IS_FOLLOWED, NOBODYS_DATA, ZONE

_EVENT_SPAN = "select min(created_at) as first, max(created_at) as last from public.chatwoot_widget_events where organization_id = $1"
# Counts and load times stay, whether the widget came, and that an order followed. Whoever does the same beside us waits
# for our rows and then finds none, so that nothing is counted twice.
_EVENTS = f"""
with theirs as materialized (
  select * from public.chatwoot_widget_events where organization_id = $1 and created_at >= $5 and created_at < $6
    and (customer_id = any ($2::text[]) or session_id = any ($3::text[]) or user_id = any ($4::uuid[])) for update
), followed as (
  select (e.created_at at time zone z.zone)::date as day, wootstream.page_group(e.page_url) as page_group,
    wootstream.device_class(e.user_agent) as device_class, wootstream.load_step(e.load_time_ms) as load_ms, count(*) as ordered
  from theirs e, ({ZONE.format(store="$1")}) z where {IS_FOLLOWED} group by 1, 2, 3, 4
), days as (
  select d.day, d.page_group, d.device_class, d.load_ms, f.ordered
  from public.chatwoot_widget_daily d join followed f using (day, page_group, device_class, load_ms)
  where d.organization_id = $1 and d.event_type = 'conversation_started' order by 1, 2, 3, 4 for update of d
), counted as (
  update public.chatwoot_widget_daily d set ordered_unnamed = d.ordered_unnamed + days.ordered from days
  where d.organization_id = $1 and d.event_type = 'conversation_started' and d.day = days.day and d.page_group = days.page_group
    and d.device_class = days.device_class and d.load_ms = days.load_ms
)
update public.chatwoot_widget_events set session_id = null, user_id = null, customer_id = null, page_url = null, user_agent = null,
  ip_address = null, referrer = null, event_data = {NOBODYS_DATA}
from (select created_at as at, id as number from theirs) t
where organization_id = $1 and created_at >= $5 and created_at < $6 and created_at = t.at and id = t.number
"""  # noqa: S608
_VISITS = """
delete from wootstream.visits where organization_id = $1 and (customer_id = any ($2::text[]) or session_id = any ($3::text[]))
  and ($4::timestamptz is null or first_at <= $4)
"""
# An order that has become somebody else's stays theirs, and names its former owner no longer.
_FACTS_OF_OTHERS = """
update wootstream.shop_facts f set customer_id = o.customer_id from wootstream.orders o
where f.organization_id = $1 and f.customer_id = any ($2::text[]) and o.organization_id = f.organization_id and o.order_id = f.order_id
  and o.customer_id <> all ($2)
"""
_FACTS = """
delete from wootstream.shop_facts f where f.organization_id = $1 and (f.customer_id = any ($2::text[])
  or f.order_id in (select order_id from wootstream.orders where organization_id = $1 and customer_id = any ($2)))
"""
_ORDERS = "delete from wootstream.orders where organization_id = $1 and customer_id = any ($2::text[])"
_CUSTOMERS = "delete from wootstream.customers where organization_id = $1 and customer_id = any ($2::text[])"
_ABSENCES = "delete from wootstream.contact_absences where organization_id = $1 and customer_id = any ($2::text[])"
_DUE = "delete from wootstream.due where organization_id = $1 and person = any ($2::text[])"
_CONTACTS = "delete from public.chatwoot_contacts where organization_id = $1 and chatwoot_contact_id = any ($2::int[])"
_DIFFERENCES = (
    "delete from wootstream.contact_differences where organization_id = $1 and chatwoot_contact_id = any ($2::int[])"
)
_CONVERSATIONS = """
update wootstream.conversations set contact_id = null, seen = jsonb_set(seen, '{contact_id}', 'null', false)
where organization_id = $1 and (conversation_id = any ($3::int[]) or contact_id = any ($2::int[])) and contact_id is not null
"""
# What they were worth to the shop tells them from others; which tier they were of does not.
_ROWS = """
update public.chatwoot_conversations set chatwoot_contact_id = null, customer_value = null, order_count = null, updated_at = now()
where organization_id = $1 and (chatwoot_conversation_id = any ($3::int[]) or chatwoot_contact_id = any ($2::int[]))
  and chatwoot_contact_id is not null
"""
_MESSAGES = """
update wootstream.messages set sender_id = null
where organization_id = $1 and conversation_id = any ($2::int[]) and sender_id is not null and (kind = 'incoming' or speaker = 'contact')
"""
_LETTERS = """
select id, topic, record_key, record_value, record_headers from wootstream.dead_letters
where organization_id = $1 and id > $2 and (record_key is not null or record_value is not null) order by id limit $3
"""
_FORGET_LETTERS = """
update wootstream.dead_letters set record_key = null, record_value = null, record_headers = null,
  discarded_at = coalesce(discarded_at, clock_timestamp())
where organization_id = $1 and id = any ($2::bigint[])
"""
_SETTLE = "update wootstream.erased_subjects set received_before = $3 where organization_id = $1 and digest = any ($2::bytea[])"


async def event_span(conn: Connection, store: UUID) -> tuple[datetime, datetime] | None:
    """From the store's first event to its last."""
    row = await conn.fetchrow(_EVENT_SPAN, store)
    return (row["first"], row["last"]) if row and row["first"] else None


async def events(
    conn: Connection,
    store: UUID,
    *,
    customers: Collection[str],
    sessions: Collection[str],
    users: Collection[UUID],
    begin: datetime,
    end: datetime,
) -> int:
    """Of one span: a store may have any number of events."""
    return _count(await conn.execute(_EVENTS, store, list(customers), list(sessions), list(users), begin, end))


async def visits(
    conn: Connection,
    store: UUID,
    customers: Collection[str],
    sessions: Collection[str],
    *,
    begun_by: datetime | None = None,
) -> int:
    """All, or those that had begun at that moment: the next beacon begins one that goes on anew."""
    return _count(await conn.execute(_VISITS, store, list(customers), list(sessions), begun_by))


async def customers(conn: Connection, store: UUID, ids: Collection[str]) -> dict[str, int]:
    """The shop's customers with all that hangs on them, by table."""
    known, result = list(ids), dict[str, int]()
    for table, statement in (
        ("shop_facts of others' orders", _FACTS_OF_OTHERS), ("shop_facts", _FACTS), ("orders", _ORDERS),
        ("customers", _CUSTOMERS), ("contact_absences", _ABSENCES),
    ):  # fmt: skip
        result[table] = _count(await conn.execute(statement, store, known))
    result["due"] = _count(await conn.execute(_DUE, store, [f"customer:{one}" for one in known]))
    return result


async def contacts(conn: Connection, store: UUID, ids: Collection[int]) -> dict[str, int]:
    """Chatwoot's contacts as we know them, by table."""
    return {
        "chatwoot_contacts": _count(await conn.execute(_CONTACTS, store, list(ids))),
        "contact_differences": _count(await conn.execute(_DIFFERENCES, store, list(ids))),
        "due": _count(await conn.execute(_DUE, store, [f"contact:{one}" for one in ids])),
    }


async def conversations(
    conn: Connection, store: UUID, contact_ids: Collection[int], ids: Collection[int]
) -> dict[str, int]:
    """Their figures stay, and whose they were is forgotten; by table."""
    return {
        "messages": _count(await conn.execute(_MESSAGES, store, list(ids))),
        "chatwoot_conversations": _count(await conn.execute(_ROWS, store, list(contact_ids), list(ids))),
        "conversations": _count(await conn.execute(_CONVERSATIONS, store, list(contact_ids), list(ids))),
    }


async def letters_after(conn: Connection, store: UUID, number: int, limit: int) -> list[Row]:
    """The store's dead letters that still hold something of their record, by number."""
    return list(await conn.fetch(_LETTERS, store, number, limit))


async def forget_letters(conn: Connection, store: UUID, numbers: Collection[int]) -> int:
    """Position and reason stay, as with any letter that was given up."""
    return _count(await conn.execute(_FORGET_LETTERS, store, list(numbers)))


async def settle(conn: Connection, store: UUID, digests: Collection[bytes], until: datetime) -> None:
    """What bears one of these names is dropped when it was received until then, and not until the erasure is done."""
    await conn.execute(_SETTLE, store, list(digests), until)


def _count(status: Any) -> int:
    """PostgreSQL's `DELETE 3`."""
    return int(str(status).rpartition(" ")[2])
