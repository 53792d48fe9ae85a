"""Shops in bulk, made by PostgreSQL itself: customers with one paid order each, known to Chatwoot, or not yet."""

import uuid
from typing import Any

from tests.services.attached import attach

# Of ten customers one has no contact by its id: of every second of these Chatwoot knows the e-mail, else nothing.
_FILL = (
    """
insert into wootstream.customers (organization_id, customer_id, email, phone, order_count, spent, paid_orders,
  first_order_at, last_order_at, customer_tier)
select $1, 'c' || n, 'c' || n || '@x.example', '+3161' || lpad(n::text, 8, '0'), 1, '{"EUR": 10000}', '{"EUR": 1}',
  timestamptz '2026-01-01' + n % 300 * interval '1 day', timestamptz '2026-01-01' + n % 300 * interval '1 day', 'Bronze'
from generate_series(1, $2::int) n
""",
    """
insert into wootstream.orders (organization_id, order_id, customer_id, currency, total_minor, placed_at, paid_at)
select $1, 'o' || n, 'c' || n, 'EUR', 10000, at, at
from generate_series(1, $2::int) n, lateral (select timestamptz '2026-01-01' + n % 300 * interval '1 day' as at) t
""",
    """
insert into wootstream.shop_facts (organization_id, source, event_id, kind, happened_at, customer_id, order_id,
  amount_minor, currency)
select $1, 'shop', kind || n, 'order.' || kind, timestamptz '2026-01-01' + n % 300 * interval '1 day', 'c' || n,
  'o' || n, 10000, 'EUR'
from generate_series(1, $2::int) n, unnest(array['placed', 'paid']) kind
""",
    """
insert into public.chatwoot_contacts (organization_id, chatwoot_account_id, chatwoot_contact_id, customer_id, email)
select $1, chatwoot_account_id, n, case when n % 10 > 0 then 'c' || n end, 'c' || n || '@x.example'
from public.chatwoot_accounts, generate_series(1, $2::int) n where organization_id = $1 and n % 20 > 0
""",
)
_WAITING = """
insert into wootstream.due (organization_id, person, not_before, waiting_since)
select $1, 'customer:c' || n, clock_timestamp() - n % 1000 * interval '1 second', clock_timestamp() - interval '1 hour'
from generate_series(1, $2::int) n
on conflict (organization_id, person) do update set not_before = excluded.not_before
"""
TABLES = ("wootstream.customers", "wootstream.orders", "wootstream.shop_facts", "public.chatwoot_contacts")


async def shop(admin: Any, customers: int) -> uuid.UUID:
    """A store of so many customers; the planner knows its tables."""
    store = await attach(admin, push="live")
    for statement in _FILL:
        await admin.execute(statement, store, customers, timeout=3_600)
    for table in TABLES:
        await admin.execute(f"vacuum analyze {table}", timeout=3_600)
    return store


async def let_wait(admin: Any, store: uuid.UUID, people: int) -> None:
    """So many of its customers are due, and have been for a while."""
    await admin.execute(_WAITING, store, people, timeout=3_600)
    await admin.execute("vacuum analyze wootstream.due", timeout=3_600)
