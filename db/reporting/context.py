"""What conversations need to know from elsewhere: their store's account and inboxes, and the customer behind a contact."""

from collections.abc import Collection, Sequence
from uuid import UUID

from db.pool import Connection, Row

# What the shop knew of the customer when the conversation was first heard of: written once, never again.
_CUSTOMERS = """
select k.organization_id, k.conversation_id, u.customer_tier, u.order_count, a.currency,
  (u.spent ->> a.currency)::bigint as spent_minor
from unnest($1::uuid[], $2::int[], $3::int[]) as k (organization_id, conversation_id, contact_id)
join public.chatwoot_accounts a on a.organization_id = k.organization_id and a.account_status <> 'deleted'
join public.chatwoot_contacts t on t.organization_id = k.organization_id
  and t.chatwoot_account_id = a.chatwoot_account_id and t.chatwoot_contact_id = k.contact_id
cross join lateral wootstream.customer_of_contact(t.organization_id, t.customer_id, t.email, t.phone) w
join wootstream.customers u on u.organization_id = k.organization_id and u.customer_id = w.customer_id
"""
_STORES = """
select a.organization_id, a.chatwoot_account_id, a.release, i.inbox_id, i.name, i.has_bot,
  (select jsonb_agg(jsonb_build_array(since, release) order by since) from wootstream.releases r
    where r.organization_id = a.organization_id) as releases
from public.chatwoot_accounts a left join wootstream.inboxes i on i.organization_id = a.organization_id
order by a.account_status = 'deleted', a.created_at desc
"""


async def stores(conn: Connection) -> Sequence[Row]:
    """Account, release and inboxes of the stores in scope: one row an inbox, or one with none."""
    return await conn.fetch(_STORES)


async def customers(conn: Connection, contacts: Collection[tuple[UUID, int, int]]) -> Sequence[Row]:
    """Tier, orders and spending of the customers behind these (store, conversation, contact), where they are known."""
    return await conn.fetch(_CUSTOMERS, *zip(*contacts, strict=True)) if contacts else ()
