"""Where a person stands in a store's tables: whom the shop and Chatwoot know by a name, and who else bears it.

As role wootstream_privacy, one store in scope.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from db.pool import Connection, Row

# A phone is compared as it is written plainly; only where one is asked for, since no index helps.
_PLAIN = "regexp_replace(phone, '[^0-9+]', '', 'g')"
_CUSTOMERS = f"""
select customer_id, email, {_PLAIN} as phone, phone as phone_as_written, name from wootstream.customers
where organization_id = $1 and (customer_id = any ($2::text[]) or email_key = any ($3::text[]))
union
select customer_id, email, {_PLAIN}, phone, name from wootstream.customers
where cardinality($4::text[]) > 0 and organization_id = $1 and {_PLAIN} = any ($4)
"""  # noqa: S608
_CONTACTS = f"""
select chatwoot_account_id, chatwoot_contact_id, customer_id, email, {_PLAIN} as phone, phone as phone_as_written, user_id
from public.chatwoot_contacts
where organization_id = $1 and (chatwoot_contact_id = any ($2::int[]) or customer_id = any ($3::text[]) or email_key = any ($4::text[]))
union
select chatwoot_account_id, chatwoot_contact_id, customer_id, email, {_PLAIN}, phone, user_id from public.chatwoot_contacts
where cardinality($5::text[]) > 0 and organization_id = $1 and {_PLAIN} = any ($5)
"""  # noqa: S608
_CONVERSATIONS = """
select conversation_id from wootstream.conversations where organization_id = $1 and contact_id = any ($2::int[])
union
select chatwoot_conversation_id from public.chatwoot_conversations where organization_id = $1 and chatwoot_contact_id = any ($2)
"""
_SESSIONS = """
select session_id from wootstream.visits where organization_id = $1 and customer_id = any ($2::text[])
union
select session_id from public.chatwoot_widget_events where organization_id = $1 and customer_id = any ($2) and session_id is not null
union
select session_id from public.chatwoot_widget_events where organization_id = $1 and user_id = any ($3::uuid[]) and session_id is not null
"""
_VISITORS = """
select session_id, customer_id from wootstream.visits where organization_id = $1 and session_id = any ($2::text[])
union
select session_id, customer_id from public.chatwoot_widget_events
where organization_id = $1 and session_id = any ($2) and customer_id is not null
"""
_ORDERS = "select order_id from wootstream.orders where organization_id = $1 and customer_id = any ($2::text[])"
# Every name in a store, in slices by kind: what an erasure that is applied again is held against.
_NAMES = {
    "customer": """
select customer_id as name from wootstream.customers where organization_id = $1
union select customer_id from wootstream.shop_facts where organization_id = $1
union select customer_id from wootstream.visits where organization_id = $1
union select customer_id from public.chatwoot_contacts where organization_id = $1 and customer_id is not null
union select customer_id from public.chatwoot_widget_events where organization_id = $1 and customer_id is not null""",
    "email": """
select email_key as name from wootstream.customers where organization_id = $1 and email_key is not null
union select email_key from public.chatwoot_contacts where organization_id = $1 and email_key is not null""",
    "phone": f"""
select {_PLAIN} as name from wootstream.customers where organization_id = $1 and phone is not null
union select {_PLAIN} from public.chatwoot_contacts where organization_id = $1 and phone is not null""",  # noqa: S608
    "contact": """
select chatwoot_contact_id::text as name from public.chatwoot_contacts where organization_id = $1
union select contact_id::text from wootstream.conversations where organization_id = $1 and contact_id is not null""",
    "conversation": "select conversation_id::text as name from wootstream.conversations where organization_id = $1",
    "session": """
select session_id as name from wootstream.visits where organization_id = $1
union select session_id from public.chatwoot_widget_events where organization_id = $1 and session_id is not null""",
    "user": """
select user_id::text as name from public.chatwoot_contacts where organization_id = $1 and user_id is not null
union select user_id::text from public.chatwoot_widget_events where organization_id = $1 and user_id is not null""",
}


async def customers(
    conn: Connection, store: UUID, *, ids: Collection[str], emails: Collection[str], phones: Collection[str]
) -> Sequence[Row]:
    """Whom the shop knows by one of these: customer_id, email, phone (plain), phone_as_written, name."""
    return await conn.fetch(_CUSTOMERS, store, list(ids), list(emails), list(phones))


async def contacts(
    conn: Connection,
    store: UUID,
    *,
    ids: Collection[int],
    customers: Collection[str],
    emails: Collection[str],
    phones: Collection[str],
) -> Sequence[Row]:
    """Whom Chatwoot knows by one of these, in whichever account."""
    return await conn.fetch(_CONTACTS, store, list(ids), list(customers), list(emails), list(phones))


async def conversations(conn: Connection, store: UUID, contact_ids: Collection[int]) -> set[int]:
    return {row["conversation_id"] for row in await conn.fetch(_CONVERSATIONS, store, list(contact_ids))}


async def sessions(conn: Connection, store: UUID, customers: Collection[str], users: Collection[UUID]) -> set[str]:
    """Browser sessions in which one of these was seen."""
    return {row["session_id"] for row in await conn.fetch(_SESSIONS, store, list(customers), list(users))}


async def visitors(conn: Connection, store: UUID, sessions: Collection[str]) -> set[tuple[str, str]]:
    """(session, customer) of everyone who was seen in one of these sessions."""
    rows = await conn.fetch(_VISITORS, store, list(sessions)) if sessions else ()
    return {(row["session_id"], row["customer_id"]) for row in rows}


async def orders(conn: Connection, store: UUID, customers: Collection[str]) -> set[str]:
    return {row["order_id"] for row in await conn.fetch(_ORDERS, store, list(customers))}


async def names(conn: Connection, store: UUID, kind: str) -> set[str]:
    """Every name of this kind that the store's tables hold."""
    return {row["name"] for row in await conn.fetch(_NAMES[kind], store)}
