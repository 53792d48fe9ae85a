"""Customers: the shop's facts, the orders and figures reckoned from them, and profiles."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from db.pool import Connection, Row

Key = tuple[UUID, str]
_KEY = ("organization_id", "order_id or customer_id")

# A repeat has the same source and id (CloudEvents 1.0, `id`): it changes nothing, whatever it holds.
_ADD_FACTS = """
insert into wootstream.shop_facts
  (organization_id, source, event_id, kind, happened_at, customer_id, order_id, amount_minor, currency, order_number,
  order_url, categories, read_at)
select organization_id, source, event_id, kind, happened_at, customer_id, order_id, amount_minor, currency, order_number, order_url,
  categories::jsonb, read_at
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::bigint[], $9::text[],
  $10::text[], $11::text[], $12::text[], $13::timestamptz[])
  as f (organization_id, source, event_id, kind, happened_at, customer_id, order_id, amount_minor, currency, order_number, order_url,
    categories, read_at)
order by 1, 2, 3 on conflict do nothing
returning organization_id, source, event_id
"""
# In one order: two batches wait for each other, and never crosswise.
_BEGIN_ORDERS = """
insert into wootstream.orders (organization_id, order_id)
select * from unnest($1::uuid[], $2::text[]) order by 1, 2 on conflict do nothing
"""
_LOCK_ORDERS = """
select o.organization_id, o.order_id, o.customer_id
from unnest($1::uuid[], $2::text[]) as k (organization_id, order_id)
join wootstream.orders o using (organization_id, order_id) order by 1, 2 for update of o
"""
_FACTS = """
select f.* from unnest($1::uuid[], $2::text[]) as k (organization_id, order_id)
cross join lateral (
  select f.organization_id, f.order_id, f.kind, f.happened_at, f.source, f.event_id, f.customer_id, f.amount_minor, f.currency,
    f.order_number, f.order_url, f.categories, f.read_at
  from wootstream.shop_facts f where f.organization_id = k.organization_id and f.order_id = k.order_id
  order by f.happened_at desc, f.event_id desc, f.source desc limit $3
) f
"""
_PUT_ORDERS = """
update wootstream.orders o set
  customer_id = n.customer_id, currency = n.currency, total_minor = n.total_minor, refunded_minor = n.refunded_minor,
  placed_at = n.placed_at, paid_at = n.paid_at, refunded_at = n.refunded_at, cancelled_at = n.cancelled_at,
  order_number = n.order_number, order_url = n.order_url, categories = n.categories::jsonb, updated_at = now()
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::timestamptz[], $8::timestamptz[],
  $9::timestamptz[], $10::timestamptz[], $11::text[], $12::text[], $13::text[])
  as n (organization_id, order_id, customer_id, currency, total_minor, refunded_minor, placed_at, paid_at, refunded_at, cancelled_at,
    order_number, order_url, categories)
where o.organization_id = n.organization_id and o.order_id = n.order_id
"""
_BEGIN_CUSTOMERS = """
insert into wootstream.customers (organization_id, customer_id)
select * from unnest($1::uuid[], $2::text[]) order by 1, 2 on conflict do nothing
"""
_LOCK_CUSTOMERS = """
select c.organization_id, c.customer_id, email, phone, name, preferred_language, marketing_consent, registered_at, profile_moments
from unnest($1::uuid[], $2::text[]) as k (organization_id, customer_id)
join wootstream.customers c using (organization_id, customer_id) order by 1, 2 for update of c
"""
# An order counts once it was placed or paid, unless cancelled; money counts once paid, less what was returned.
_SUMS = """
select o.organization_id, o.customer_id, a.currency as store_currency, a.tier_rules, o.currency, count(*) as orders,
  count(*) filter (where coalesce(placed_at, paid_at) > now() - interval '365 days') as orders_in_year,
  least(coalesce(sum(greatest(total_minor - refunded_minor, 0)) filter (where paid_at > now() - interval '365 days'), 0),
    9223372036854775807)::bigint as spent_in_year,
  count(*) filter (where paid_at is not null) as paid,
  least(coalesce(sum(greatest(total_minor - refunded_minor, 0)) filter (where paid_at is not null), 0), 9223372036854775807)::bigint as spent,
  min(coalesce(placed_at, paid_at)) as first_at, max(coalesce(placed_at, paid_at)) as last_at
from unnest($1::uuid[], $2::text[]) as k (organization_id, customer_id)
join wootstream.orders o using (organization_id, customer_id)
join public.chatwoot_accounts a on a.organization_id = o.organization_id and a.account_status <> 'deleted'
where cancelled_at is null and (placed_at is not null or paid_at is not null)
group by 1, 2, 3, 4, 5
"""
_PUT_CUSTOMERS = """
update wootstream.customers c set
  email = n.email, phone = n.phone, name = n.name, preferred_language = n.preferred_language,
  marketing_consent = n.marketing_consent, registered_at = n.registered_at, profile_moments = n.profile_moments,
  order_count = n.order_count, spent = n.spent, paid_orders = n.paid_orders,
  first_order_at = n.first_order_at, last_order_at = n.last_order_at, customer_tier = n.customer_tier, updated_at = now(), outdated = false
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bool[], $8::timestamptz[], $9::jsonb[],
  $10::int[], $11::jsonb[], $12::jsonb[], $13::timestamptz[], $14::timestamptz[], $15::text[])
  as n (organization_id, customer_id, email, phone, name, preferred_language, marketing_consent, registered_at, profile_moments,
    order_count, spent, paid_orders, first_order_at, last_order_at, customer_tier)
where c.organization_id = n.organization_id and c.customer_id = n.customer_id
"""
# A store whose rules changed, or begun with: its customers by id, a step at a time.
_BEHIND = """
select organization_id, tiers_after from public.chatwoot_accounts where tiers_after is not null order by organization_id limit 1
"""
_NEXT_CUSTOMERS = """
select organization_id, customer_id from wootstream.customers where organization_id = $1 and customer_id > $2
order by customer_id limit $3
"""
_TIERS_AFTER = """
update public.chatwoot_accounts set tiers_after = $3 where organization_id = $1 and tiers_after = $2
"""
# Paid, or placed, a year ago since they were last reckoned: money counts from the one moment, an order from the other. A
# month back at most, so that years of orders are not looked through each time: a service that stood still for longer is
# told by its store's rules set anew.
_AGED = """
select distinct c.organization_id, c.customer_id
from public.chatwoot_accounts a
cross join lateral (
  select customer_id, paid_at as counted_at from wootstream.orders
  where organization_id = a.organization_id
    and paid_at > now() - interval '395 days' and paid_at <= now() - interval '365 days'
  union all
  select customer_id, coalesce(placed_at, paid_at) from wootstream.orders
  where organization_id = a.organization_id
    and coalesce(placed_at, paid_at) > now() - interval '395 days' and coalesce(placed_at, paid_at) <= now() - interval '365 days'
) o
join wootstream.customers c on c.organization_id = a.organization_id and c.customer_id = o.customer_id
where a.tier_rules ->> 'within' = 'year' and c.updated_at < o.counted_at + interval '365 days'
order by 1, 2 limit $1
"""
_OUTDATED = """
select organization_id, customer_id from wootstream.customers
where outdated and organization_id = any ((select wootstream.scope())::uuid[]) order by 1, 2 limit $1
"""
_EXPORTED_CUSTOMERS = """
select customer_id, email, phone, name, preferred_language, marketing_consent, registered_at, profile_moments
from wootstream.customers where organization_id = $1 and customer_id > $2 order by customer_id limit $3
"""
_EXPORTED_ORDERS = """
select order_id, customer_id, currency, total_minor, refunded_minor, placed_at, paid_at, refunded_at, cancelled_at, order_number, order_url,
  categories
from wootstream.orders where organization_id = $1 and order_id > $2 and customer_id is not null order by order_id limit $3
"""
_CUSTOMER = "select * from wootstream.customers where organization_id = $1 and customer_id = $2"


class ShopFactRow(NamedTuple):
    """The columns of _ADD_FACTS."""

    organization_id: UUID
    source: str
    event_id: str
    kind: str
    happened_at: datetime
    customer_id: str
    order_id: str | None
    amount_minor: int | None
    currency: str | None
    order_number: str | None
    order_url: str | None
    categories: str | None  # JSON: the driver takes a list in an array for another dimension
    read_at: datetime | None  # of a file's line


class OrderRow(NamedTuple):
    """The columns of _PUT_ORDERS."""

    organization_id: UUID
    order_id: str
    customer_id: str
    currency: str | None
    total_minor: int | None
    refunded_minor: int
    placed_at: datetime | None
    paid_at: datetime | None
    refunded_at: datetime | None
    cancelled_at: datetime | None
    order_number: str | None
    order_url: str | None
    categories: str  # JSON


class CustomerRow(NamedTuple):
    """The columns of _PUT_CUSTOMERS."""

    organization_id: UUID
    customer_id: str
    email: str | None
    phone: str | None
    name: str | None
    preferred_language: str | None
    marketing_consent: bool | None
    registered_at: datetime | None
    profile_moments: dict[str, str]
    order_count: int
    spent: dict[str, int]
    paid_orders: dict[str, int]
    first_order_at: datetime | None
    last_order_at: datetime | None
    customer_tier: str | None


async def add_facts(conn: Connection, rows: Sequence[ShopFactRow]) -> set[tuple[UUID, str, str]]:
    """Keep facts; the keys (store, source, event id) of those that were not known."""
    added = await conn.fetch(_ADD_FACTS, *_columns(rows, ShopFactRow._fields))
    return {(row["organization_id"], row["source"], row["event_id"]) for row in added}


async def lock_orders(conn: Connection, keys: Collection[Key]) -> Sequence[Row]:
    """Make what is missing and lock all until the transaction ends: whose order it was so far."""
    return await _locked(conn, _LOCK_ORDERS, _BEGIN_ORDERS, keys)


async def facts(conn: Connection, orders: Collection[Key], *, most: int) -> Sequence[Row]:
    """The newest facts of these orders, of each so many at most."""
    return await conn.fetch(_FACTS, *_columns(sorted(orders), _KEY), most)


async def put_orders(conn: Connection, rows: Sequence[OrderRow]) -> None:
    """Write these orders anew; they must be locked."""
    await conn.execute(_PUT_ORDERS, *_columns(rows, OrderRow._fields))


async def lock_customers(conn: Connection, keys: Collection[Key]) -> Sequence[Row]:
    """Make what is missing and lock all until the transaction ends: their profiles."""
    return await _locked(conn, _LOCK_CUSTOMERS, _BEGIN_CUSTOMERS, keys)


async def sums(conn: Connection, customers: Collection[Key]) -> Sequence[Row]:
    """Orders, paid orders and money by currency; a customer without orders has no row."""
    return await conn.fetch(_SUMS, *_columns(sorted(customers), _KEY))


async def put_customers(conn: Connection, rows: Sequence[CustomerRow]) -> None:
    """Write these customers anew; they must be locked."""
    await conn.execute(_PUT_CUSTOMERS, *_columns(rows, CustomerRow._fields))


async def exported_customers(conn: Connection, store: UUID, after: str, limit: int) -> Sequence[Row]:
    """A page of customers by id, as the shop said them."""
    return await conn.fetch(_EXPORTED_CUSTOMERS, store, after, limit)


async def exported_orders(conn: Connection, store: UUID, after: str, limit: int) -> Sequence[Row]:
    """A page of orders by id."""
    return await conn.fetch(_EXPORTED_ORDERS, store, after, limit)


async def behind(conn: Connection) -> Row | None:
    """A store in scope whose tiers follow newer rules only up to `tiers_after`."""
    return await conn.fetchrow(_BEHIND)


async def next_customers(conn: Connection, store: UUID, after: str, limit: int) -> list[Key]:
    """The next customers by id."""
    return [
        (row["organization_id"], row["customer_id"]) for row in await conn.fetch(_NEXT_CUSTOMERS, store, after, limit)
    ]


async def tiers_after(conn: Connection, store: UUID, before: str, now: str | None) -> None:
    """Say how far they follow; nothing where the rules changed meanwhile, for then it begins anew."""
    await conn.execute(_TIERS_AFTER, store, before, now)


async def aged(conn: Connection, limit: int) -> list[Key]:
    """Customers with a year's rules of whom an order has become a year old since they were reckoned."""
    return [(row["organization_id"], row["customer_id"]) for row in await conn.fetch(_AGED, limit)]


async def outdated(conn: Connection, limit: int) -> list[Key]:
    """Customers of whom orders have left since they were reckoned."""
    return [(row["organization_id"], row["customer_id"]) for row in await conn.fetch(_OUTDATED, limit)]


async def customer(conn: Connection, store: UUID, customer_id: str) -> Row | None:
    """One customer's row."""
    return await conn.fetchrow(_CUSTOMER, store, customer_id)


async def _locked(conn: Connection, lock: str, begin: str, keys: Collection[Key]) -> Sequence[Row]:
    columns = _columns(sorted(keys), _KEY)
    rows = await conn.fetch(lock, *columns)
    if len(rows) == len(set(keys)):
        return rows
    # What is not there cannot be locked, nor what has left while we waited for it.
    await conn.execute(begin, *columns)
    return await conn.fetch(lock, *columns)


def _columns(rows: Sequence[tuple[Any, ...]], names: tuple[str, ...]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in names]
