"""Contacts of Chatwoot: who they are, by the newest word of each."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from db.pool import Connection, Row

# Names move between contacts, and a unique index looks at one row at a time: one writer for each store.
_LOCK_STORES = """
select pg_advisory_xact_lock(hashtextextended('wootstream/contacts/' || store, 0))
from (select distinct unnest($1::uuid[])::text as store order by 1) s
"""
# Each name by its own index. The key is made before the join: below row security no condition that calls lower() goes
# into an index.
_KNOWN = """
with n as materialized (
  select *, lower(email) as email_key from unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::text[], $6::uuid[])
    as n (organization_id, account_id, contact_id, email, customer_id, user_id)
), found as (
  select c.id from n join public.chatwoot_contacts c on c.organization_id = n.organization_id and c.chatwoot_account_id = n.account_id
    and c.chatwoot_contact_id = n.contact_id
  union
  select c.id from n join public.chatwoot_contacts c on c.organization_id = n.organization_id and c.chatwoot_account_id = n.account_id
    and c.email_key = n.email_key
  union
  select c.id from n join public.chatwoot_contacts c on c.organization_id = n.organization_id and c.chatwoot_account_id = n.account_id
    and c.customer_id = n.customer_id
  union
  select c.id from n join public.chatwoot_contacts c on c.organization_id = n.organization_id and c.chatwoot_account_id = n.account_id
    and c.user_id = n.user_id
)
select c.organization_id, c.chatwoot_account_id, c.chatwoot_contact_id, c.seen_at, c.email, c.phone, c.customer_id, c.user_id,
  c.cached_attributes, c.written_keys
from found join public.chatwoot_contacts c using (id)
"""
_USERS = "select * from wootstream.known_users($1)"
# Before _SEE: a name that moves within the batch would meet its former bearer in the unique index.
_RELEASE = """
update public.chatwoot_contacts c set
  email = case when lower(n.email) is distinct from lower(c.email) then null else c.email end,
  customer_id = case when n.customer_id is distinct from c.customer_id then null else c.customer_id end,
  user_id = case when n.user_id is distinct from c.user_id then null else c.user_id end,
  updated_at = now()
from unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::text[], $6::uuid[])
  as n (organization_id, account_id, contact_id, email, customer_id, user_id)
where c.organization_id = n.organization_id and c.chatwoot_account_id = n.account_id and c.chatwoot_contact_id = n.contact_id
  and (lower(c.email) is distinct from lower(n.email) or c.customer_id is distinct from n.customer_id or c.user_id is distinct from n.user_id)
"""
_SEE = """
insert into public.chatwoot_contacts as c (organization_id, chatwoot_account_id, chatwoot_contact_id, seen_at, email, phone,
  customer_id, user_id, cached_attributes)
select * from unnest($1::uuid[], $2::int[], $3::int[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::jsonb[])
order by 1, 2, 3
on conflict (organization_id, chatwoot_account_id, chatwoot_contact_id) do update set
  seen_at = excluded.seen_at, email = excluded.email, phone = excluded.phone, customer_id = excluded.customer_id,
  user_id = excluded.user_id, cached_attributes = excluded.cached_attributes, updated_at = now()
"""
_ACCOUNT_IDS = (
    "select organization_id, chatwoot_account_id from public.chatwoot_accounts where account_status <> 'deleted'"
)


class NamesRow(NamedTuple):
    """The columns of _KNOWN and _RELEASE: a contact and the names that only one contact of an account can bear."""

    organization_id: UUID
    account_id: int
    contact_id: int
    email: str | None
    customer_id: str | None
    user_id: UUID | None


class ContactRow(NamedTuple):
    """The columns of _SEE."""

    organization_id: UUID
    chatwoot_account_id: int
    chatwoot_contact_id: int
    seen_at: datetime
    email: str | None
    phone: str | None
    customer_id: str | None
    user_id: UUID | None
    cached_attributes: dict[str, Any]


async def lock_stores(conn: Connection, stores: Collection[UUID]) -> None:
    """Be the only writer of these stores' contacts until the transaction ends."""
    await conn.execute(_LOCK_STORES, list(stores))


async def known(conn: Connection, names: Sequence[NamesRow]) -> Sequence[Row]:
    """These contacts, and whoever bears one of their names."""
    return await conn.fetch(_KNOWN, *_columns(names, NamesRow))


async def users(conn: Connection, ids: Collection[UUID]) -> set[UUID]:
    """Which of these are users of the host."""
    return {row["known_users"] for row in await conn.fetch(_USERS, list(ids))} if ids else set()


async def see(conn: Connection, rows: Sequence[ContactRow]) -> None:
    """Keep contacts as seen. Names are let go first, for they may move within the batch."""
    names = [
        NamesRow(
            organization_id=row.organization_id,
            account_id=row.chatwoot_account_id,
            contact_id=row.chatwoot_contact_id,
            email=row.email,
            customer_id=row.customer_id,
            user_id=row.user_id,
        )
        for row in rows
    ]
    await conn.execute(_RELEASE, *_columns(names, NamesRow))
    await conn.execute(_SEE, *_columns(rows, ContactRow))


async def account_ids(conn: Connection) -> dict[UUID, int]:
    """The Chatwoot account of each store in scope."""
    return {row["organization_id"]: row["chatwoot_account_id"] for row in await conn.fetch(_ACCOUNT_IDS)}


def _columns(rows: Sequence[NamesRow] | Sequence[ContactRow], kind: type[NamesRow | ContactRow]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in kind._fields]
