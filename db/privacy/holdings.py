"""All that a store's tables hold of a person, row by row. As role wootstream_privacy, the store in scope."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from db.pool import Connection

_THEIRS = {
    "wootstream.customers": "t.customer_id = any (p.customers)",
    "wootstream.orders": "t.customer_id = any (p.customers)",
    "wootstream.shop_facts": "t.customer_id = any (p.customers)",
    "wootstream.visits": "t.customer_id = any (p.customers) or t.session_id = any (p.sessions)",
    "wootstream.contact_absences": "t.customer_id = any (p.customers)",
    "wootstream.due": "t.person = any (p.people)",
    "public.chatwoot_contacts": "t.chatwoot_contact_id = any (p.contacts)",
    "wootstream.contact_differences": "t.chatwoot_contact_id = any (p.contacts)",
    "public.chatwoot_conversations": "t.chatwoot_contact_id = any (p.contacts) or t.chatwoot_conversation_id = any (p.unnamed)",
    "wootstream.conversations": "t.contact_id = any (p.contacts) or t.conversation_id = any (p.unnamed)",
    "wootstream.messages": "t.conversation_id = any (p.conversations || p.unnamed)",
    "wootstream.changes": "t.conversation_id = any (p.conversations || p.unnamed)",
    "wootstream.ratings": "t.conversation_id = any (p.conversations || p.unnamed)",
    "wootstream.chatwoot_reporting_events": "t.chatwoot_conversation_id = any (p.conversations || p.unnamed)",
    "public.chatwoot_widget_events": (
        "t.customer_id = any (p.customers) or t.session_id = any (p.sessions) or t.user_id = any (p.users)"
    ),
}
TABLES = tuple(_THEIRS)
MOST_ROWS = 100_000  # of one table: a person's events of years are some thousand


async def rows(
    conn: Connection,
    store: UUID,
    table: str,
    *,
    customers: Collection[str],
    contacts: Collection[int],
    conversations: Collection[int],
    unnamed: Collection[int],
    sessions: Collection[str],
    users: Collection[UUID],
) -> Sequence[dict[str, Any]]:
    """The rows of one of TABLES that are theirs, each as the table has it; one more than MOST_ROWS where there are more.
    `unnamed` are conversations that name them no longer."""
    people = [*(f"customer:{one}" for one in customers), *(f"contact:{one}" for one in contacts)]
    statement = f"""
with p as (select $1::uuid as store, $2::text[] as customers, $3::int[] as contacts, $4::int[] as conversations, $5::text[] as sessions,
  $6::uuid[] as users, $7::text[] as people, $8::int[] as unnamed)
select to_jsonb(t) as row from p join {table} t on t.organization_id = p.store and ({_THEIRS[table]}) limit {MOST_ROWS + 1}
"""  # noqa: S608
    found = await conn.fetch(
        statement,
        store,
        list(customers),
        list(contacts),
        list(conversations),
        list(sessions),
        list(users),
        people,
        list(unnamed),
    )
    return [row["row"] for row in found]
