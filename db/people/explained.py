"""One customer for a person who asks: what the shop said, and what stands between it and their contact in Chatwoot."""

from collections.abc import Sequence
from uuid import UUID

from db.pool import Connection, Row

_NAMED = """
select customer_id from (
  select customer_id, order_count from wootstream.customers where organization_id = $1 and customer_id = $2
  union select customer_id, order_count from wootstream.customers where organization_id = $1 and email_key = lower($2)
  union select customer_id, order_count from wootstream.customers where organization_id = $1
    and phone_key = regexp_replace($2, '[^0-9+]', '', 'g')
) k order by customer_id = $2 desc, order_count desc, customer_id limit 5
"""
_FACTS = """
select kind, happened_at, source, event_id, order_id, amount_minor, currency from wootstream.shop_facts
where organization_id = $1 and customer_id = $2 order by happened_at desc, event_id desc limit $3
"""
_RETURNED_OTHERWISE = """
select distinct o.order_id, o.currency, f.currency as returned
from wootstream.orders o join wootstream.shop_facts f on f.organization_id = o.organization_id and f.order_id = o.order_id
where o.organization_id = $1 and o.customer_id = $2 and f.kind = 'order.refunded' and f.currency <> o.currency
  and f.amount_minor > 0
order by 1, 3 limit $3
"""
_WAITING = """
select person, marks, attempts, waiting_since, not_before from wootstream.due where organization_id = $1 and person = any ($2::text[])
order by person
"""
_SYNCED = """
select customer_id, last_synced_at, sync_error from public.chatwoot_contacts
where organization_id = $1 and chatwoot_account_id = $2 and chatwoot_contact_id = $3
"""


async def named(conn: Connection, store: UUID, who: str) -> list[str]:
    """Ids of the customers who bear this id, e-mail or phone; whoever bears the id comes first."""
    return [row["customer_id"] for row in await conn.fetch(_NAMED, store, who)]


async def facts(conn: Connection, store: UUID, customer_id: str, limit: int) -> Sequence[Row]:
    """What the shop said last, the newest first."""
    return await conn.fetch(_FACTS, store, customer_id, limit)


async def returned_otherwise(conn: Connection, store: UUID, customer_id: str, limit: int) -> Sequence[Row]:
    """Orders of which something came back in another currency than theirs, and in which."""
    return await conn.fetch(_RETURNED_OTHERWISE, store, customer_id, limit)


async def waiting(conn: Connection, store: UUID, people: Sequence[str]) -> Sequence[Row]:
    """As whom they wait in the mailbox."""
    return await conn.fetch(_WAITING, store, list(people))


async def synced(conn: Connection, store: UUID, account_id: int, contact_id: int) -> Row | None:
    """What is known of the contact, and what became of the last call about it."""
    return await conn.fetchrow(_SYNCED, store, account_id, contact_id)
