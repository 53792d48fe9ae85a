"""Where a customer is in the shop just now: page and cart of each session, for customers whom the shop vouched for."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from db.pool import Connection, Row

Key = tuple[UUID, str, str]  # store, customer, session

# Locked in one order: of two beacons of one session the second reckons with the first.
_KNOWN = """
select v.* from unnest($1::uuid[], $2::text[], $3::text[]) as k (organization_id, customer_id, session_id)
join wootstream.visits v using (organization_id, customer_id, session_id) order by 1, 2, 3 for update of v
"""
# Each part moves only forward in time, so late and repeated beacons change nothing. Categories and views were joined with
# those of the row, which is locked.
_PUT_VISITS = """
insert into wootstream.visits as v (organization_id, customer_id, session_id, first_at, last_at, page_at, page_url,
  cart_at, cart_minor, cart_currency, cart_items, categories, viewed)
select organization_id, customer_id, session_id, first_at, last_at, page_at, page_url, cart_at, cart_minor, cart_currency, cart_items,
  categories::jsonb, viewed::bigint[]
from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::text[],
  $8::timestamptz[], $9::bigint[], $10::text[], $11::int[], $12::text[], $13::text[])
  as n (organization_id, customer_id, session_id, first_at, last_at, page_at, page_url, cart_at, cart_minor, cart_currency, cart_items,
    categories, viewed)
order by 1, 2, 3
on conflict (organization_id, customer_id, session_id) do update set
  first_at = least(v.first_at, excluded.first_at), last_at = greatest(v.last_at, excluded.last_at),
  page_at = greatest(v.page_at, excluded.page_at),
  page_url = case when excluded.page_at > v.page_at or v.page_at is null then excluded.page_url else v.page_url end,
  cart_at = greatest(v.cart_at, excluded.cart_at),
  cart_minor = case when excluded.cart_at > v.cart_at or v.cart_at is null then excluded.cart_minor else v.cart_minor end,
  cart_currency = case when excluded.cart_at > v.cart_at or v.cart_at is null then excluded.cart_currency else v.cart_currency end,
  cart_items = case when excluded.cart_at > v.cart_at or v.cart_at is null then excluded.cart_items else v.cart_items end,
  categories = excluded.categories, viewed = excluded.viewed
where excluded.first_at < v.first_at or excluded.last_at > v.last_at
  or excluded.page_at > v.page_at or (v.page_at is null and excluded.page_at is not null)
  or excluded.cart_at > v.cart_at or (v.cart_at is null and excluded.cart_at is not null)
  or excluded.categories <> v.categories or excluded.viewed <> v.viewed
"""
# Only those whom somebody is talking to: nobody reads the others' carts.
_TALKING = """
select distinct k.organization_id, k.customer_id
from unnest($1::uuid[], $2::text[]) as k (organization_id, customer_id)
left join wootstream.customers u on u.organization_id = k.organization_id and u.customer_id = k.customer_id
cross join lateral wootstream.contact_for(k.organization_id, k.customer_id, u.email_key, u.phone_key) c
join public.chatwoot_conversations v on v.organization_id = k.organization_id
  and v.chatwoot_account_id = c.chatwoot_account_id and v.chatwoot_contact_id = c.chatwoot_contact_id
where v.status in ('open', 'pending')
"""


class VisitRow(NamedTuple):
    """The columns of _PUT_VISITS."""

    organization_id: UUID
    customer_id: str
    session_id: str
    first_at: datetime
    last_at: datetime
    page_at: datetime | None
    page_url: str | None
    cart_at: datetime | None
    cart_minor: int | None
    cart_currency: str | None
    cart_items: int | None
    categories: str  # JSON: the driver takes a list in an array for another dimension
    viewed: str  # an array's own text, likewise


async def known(conn: Connection, keys: Collection[Key]) -> Sequence[Row]:
    """These sessions as far as known, locked until the transaction ends."""
    ordered = sorted(keys)
    return await conn.fetch(_KNOWN, *([key[at] for key in ordered] for at in range(3)))


async def put(conn: Connection, rows: Sequence[VisitRow]) -> None:
    """Keep the newest page, cart and span of each session."""
    if rows:
        await conn.execute(_PUT_VISITS, *(list(column) for column in zip(*rows, strict=True)))


async def talking(conn: Connection, customers: Collection[tuple[UUID, str]]) -> list[tuple[UUID, str]]:
    """Which of these customers have a conversation open."""
    found = await conn.fetch(_TALKING, [store for store, _ in customers], [one for _, one in customers])
    return [(row["organization_id"], row["customer_id"]) for row in found]
