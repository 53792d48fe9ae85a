"""What the sender works from: people with their figures, what Chatwoot acknowledged, and what it said."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from db.pool import Connection, Row

Key = tuple[UUID, int, int]  # store, account, contact

_ACCOUNTS = """
select organization_id, chatwoot_account_id, chatwoot_base_url, api_access_token, push, create_contacts, allowed_attributes,
  currency, timezone, formats, agents_may_change, sync_error
from public.chatwoot_accounts where account_status = 'active'
"""
# A left join: a customer without a contact is looked up, one without a row is nobody we could speak of.
_CONTACTS_OF = """
select k.organization_id, k.customer_id, c.chatwoot_account_id, c.chatwoot_contact_id
from unnest($1::uuid[], $2::text[]) as d (organization_id, customer_id)
join wootstream.customers k using (organization_id, customer_id)
left join lateral wootstream.contact_for(k.organization_id, k.customer_id, k.email_key, k.phone_key) c on true
"""
_PEOPLE = """
select c.organization_id, c.chatwoot_account_id, c.chatwoot_contact_id, c.cached_attributes, c.written_keys, c.sent_attributes, c.user_id,
  c.last_synced_at, k.customer_id,
  k.preferred_language, k.marketing_consent, k.registered_at, k.order_count, k.spent, k.paid_orders, k.first_order_at,
  k.last_order_at, k.customer_tier, t.tickets, t.satisfaction, s.page_url, s.cart_minor, s.cart_currency, s.cart_items,
  case when s.last_at is not null then least(extract(epoch from s.last_at - s.first_at), 2147483647)::int end as visit_seconds,
  t.escalated, o.recent_orders, f.favorite_categories
from unnest($1::uuid[], $2::int[], $3::int[]) as d (organization_id, account_id, contact_id)
join public.chatwoot_contacts c on c.organization_id = d.organization_id and c.chatwoot_account_id = d.account_id
  and c.chatwoot_contact_id = d.contact_id
left join lateral wootstream.customer_for(c.organization_id, c.customer_id, c.email_key, c.phone_key) w on true
left join wootstream.customers k on k.organization_id = c.organization_id and k.customer_id = w.customer_id
cross join lateral (
  select count(*) filter (where v.status = 'resolved')::int as tickets, round(avg(v.satisfaction_rating), 1)::float8 as satisfaction,
    coalesce(bool_or(v.status in ('open', 'pending')), false) as talking,
    bool_or(w.reopenings > 0 or w.priority = 'urgent' or 'escalated' = any (w.labels)) as escalated
  from public.chatwoot_conversations v
  left join wootstream.conversations w on w.organization_id = v.organization_id and w.conversation_id = v.chatwoot_conversation_id
  where v.organization_id = c.organization_id and v.chatwoot_account_id = c.chatwoot_account_id and v.chatwoot_contact_id = c.chatwoot_contact_id
) t
left join lateral (
  select * from wootstream.visits s
  where t.talking and s.organization_id = k.organization_id and s.customer_id = k.customer_id order by last_at desc limit 1
) s on true
cross join lateral (
  select coalesce(jsonb_agg(to_jsonb(r) order by r.at desc, r.order_id desc), '[]') as recent_orders from (
    select order_id, order_number, order_url, coalesce(placed_at, paid_at) as at, currency, total_minor, refunded_minor,
      paid_at is not null as paid, refunded_at is not null or refunded_minor > 0 as refunded, cancelled_at is not null as cancelled
    from wootstream.orders where organization_id = k.organization_id and customer_id = k.customer_id
      and (placed_at is not null or paid_at is not null)
    order by coalesce(placed_at, paid_at) desc, order_id desc limit 3
  ) r
) o
cross join lateral (
  select coalesce(array_agg(category order by weight desc, category), '{}') as favorite_categories from (
    select category, sum(weight) as weight from (
      select jsonb_array_elements_text(categories) as category, 3 as weight from wootstream.orders
      where organization_id = k.organization_id and customer_id = k.customer_id and cancelled_at is null
      union all
      select jsonb_array_elements_text(categories), 1 from wootstream.visits
      where organization_id = k.organization_id and customer_id = k.customer_id
    ) c group by category order by weight desc, category limit 3
  ) g
) f
"""
_SHORTLY = "select set_config('statement_timeout', '5s', true)"
_ACKNOWLEDGE = """
update public.chatwoot_contacts set cached_attributes = $4, written_keys = $5, sent_attributes = $6,
  last_synced_at = $7, sync_status = 'synced', sync_error = null, updated_at = now()
where organization_id = $1 and chatwoot_account_id = $2 and chatwoot_contact_id = $3
"""
_REFUSED = """
update public.chatwoot_contacts set sync_status = 'error', sync_error = $4, updated_at = now()
where organization_id = $1 and chatwoot_account_id = $2 and chatwoot_contact_id = $3
"""
# By whichever name the mailbox has for them.
_SET_ASIDE = """
update public.chatwoot_contacts set sync_status = 'error', sync_error = $4, updated_at = now()
where organization_id = $1 and (customer_id = $2 or chatwoot_contact_id = $3)
"""
# Names are let go, or the next contact that bears one would meet this row in the unique index.
_GONE = """
update public.chatwoot_contacts set sync_status = 'error', sync_error = 'gone from Chatwoot', email = null, phone = null,
  customer_id = null, user_id = null, cached_attributes = '{}', written_keys = '{}', sent_attributes = '{}', updated_at = now()
where organization_id = $1 and chatwoot_account_id = $2 and chatwoot_contact_id = $3
"""
_CONFIRM = """
update public.chatwoot_contacts set sent_attributes = sent_attributes || $4, updated_at = now()
where organization_id = $1 and chatwoot_account_id = $2 and chatwoot_contact_id = $3
"""
# Once in a round, not with each call: the row of a store is one row for all its people.
_SYNCED = """
update public.chatwoot_accounts set last_sync_at = $2, sync_status = 'active', sync_error = null where organization_id = any ($1::uuid[])
"""
_TROUBLED = """
update public.chatwoot_accounts set sync_status = 'error', sync_error = $2
where organization_id = $1 and (sync_status, sync_error) is distinct from ('error', $2)
"""
# Of contacts in scope: what we sent of the attributes that agents may change, and what they have made of it.
_KEPT = """
select a.slug, c.chatwoot_contact_id, c.customer_id, s.key as attribute, s.value as sent, c.cached_attributes -> s.key as held
from public.chatwoot_accounts a
join public.chatwoot_contacts c using (organization_id, chatwoot_account_id)
cross join lateral jsonb_each(c.sent_attributes) s
where a.account_status = 'active' and s.key = any (a.agents_may_change) and c.cached_attributes -> s.key is distinct from s.value
order by a.slug, c.chatwoot_contact_id, s.key limit $1
"""
_SHADOW = """
insert into wootstream.contact_differences (organization_id, chatwoot_account_id, chatwoot_contact_id, changed, removed) values ($1, $2, $3, $4, $5)
on conflict (organization_id, chatwoot_account_id, chatwoot_contact_id) do update set
  changed = excluded.changed, removed = excluded.removed, computed_at = now()
"""
# Only of stores in shadow: in a live one it is what differed before, and has been sent.
_DIFFERENCES = """
select a.slug, d.chatwoot_contact_id, c.customer_id, d.changed, d.removed, d.computed_at, c.cached_attributes
from wootstream.contact_differences d
join public.chatwoot_accounts a using (organization_id, chatwoot_account_id)
join public.chatwoot_contacts c using (organization_id, chatwoot_account_id, chatwoot_contact_id)
where a.push = 'shadow' and a.account_status = 'active' and (d.changed <> '{}' or d.removed <> '{}')
  and (a.slug, d.chatwoot_contact_id) > ($1, $2)
order by a.slug, d.chatwoot_contact_id limit $3
"""
_MODE = """
update public.chatwoot_accounts set push = $2, updated_at = now()
where organization_id = $1 and account_status <> 'deleted' and push <> $2
"""
_NAMES = """
select k.customer_id, k.email, k.phone, k.name, a.names_sha256, a.asked_at
from wootstream.customers k left join wootstream.contact_absences a using (organization_id, customer_id)
where k.organization_id = $1 and k.customer_id = $2
"""
_ABSENT = """
insert into wootstream.contact_absences (organization_id, customer_id, names_sha256, asked_at) values ($1, $2, $3, $4)
on conflict (organization_id, customer_id) do update set names_sha256 = excluded.names_sha256, asked_at = excluded.asked_at
"""


async def accounts(conn: Connection) -> Sequence[Row]:
    """How to call each active store in scope; the token is sealed."""
    return await conn.fetch(_ACCOUNTS)


async def set_mode(conn: Connection, store: UUID, mode: str) -> bool:
    """Whether anything changed; nothing does in a store that is deleted."""
    return await conn.execute(_MODE, store, mode) == "UPDATE 1"


async def contacts_of(conn: Connection, customers: Collection[tuple[UUID, str]]) -> Sequence[Row]:
    """The contact of each of these customers, if one is known; customers of whom the shop said nothing are left out."""
    return await conn.fetch(_CONTACTS_OF, [store for store, _ in customers], [one for _, one in customers])


async def shortly(conn: Connection) -> None:
    """Let no statement of this transaction work for more than five seconds: there may be any number of rows of a person."""
    await conn.execute(_SHORTLY)


async def people(conn: Connection, contacts: Collection[Key]) -> Sequence[Row]:
    """Each contact with the customer behind it, if there is one."""
    return await conn.fetch(_PEOPLE, *([key[at] for key in contacts] for at in range(3)))


async def acknowledge(
    conn: Connection,
    key: Key,
    attributes: Mapping[str, Any],
    *,
    written: Collection[str],
    sent: Mapping[str, Any],
    at: datetime,
) -> None:
    """What Chatwoot answered is what it holds. `seen_at` stays: the answer has no moment, the echo that follows has."""
    await conn.execute(_ACKNOWLEDGE, *key, dict(attributes), sorted(written), dict(sent), at)


async def confirm(conn: Connection, key: Key, attributes: Mapping[str, Any]) -> None:
    """Chatwoot has them as we want them, though no answer of its own said so: whoever sent them died."""
    await conn.execute(_CONFIRM, *key, dict(attributes))


async def synced(conn: Connection, stores: Collection[UUID], at: datetime) -> None:
    """These stores' Chatwoot takes what it is sent."""
    await conn.execute(_SYNCED, sorted(stores), at)


async def troubled(conn: Connection, store: UUID, reason: str) -> None:
    """It does not, for this reason; nothing is written where that is known."""
    await conn.execute(_TROUBLED, store, reason)


async def kept_by_agents(conn: Connection, limit: int) -> Sequence[Row]:
    """What stays as somebody in Chatwoot has set it, in the stores in scope."""
    return await conn.fetch(_KEPT, limit)


async def refused(conn: Connection, key: Key, reason: str) -> None:
    """Chatwoot will not take this contact's attributes until somebody mends the contact."""
    await conn.execute(_REFUSED, *key, reason)


async def set_aside(
    conn: Connection, store: UUID, *, customer_id: str | None, contact_id: int | None, reason: str
) -> None:
    """What we know of this person cannot be reckoned with, or what Chatwoot answers about them cannot be kept."""
    await conn.execute(_SET_ASIDE, store, customer_id, contact_id, reason)


async def gone(conn: Connection, key: Key) -> None:
    """Deleted or merged away: it lets go of its names, so that the customer is looked for again."""
    await conn.execute(_GONE, *key)


async def shadow(conn: Connection, key: Key, *, changed: Mapping[str, Any], removed: Collection[str]) -> None:
    """Remember what would have been sent."""
    await conn.execute(_SHADOW, *key, dict(changed), list(removed))


async def differences(conn: Connection, *, after: tuple[str, int], limit: int) -> Sequence[Row]:
    """What would be sent for stores in shadow and in scope, by short name and contact, beginning after that one."""
    return await conn.fetch(_DIFFERENCES, *after, limit)


async def names(conn: Connection, store: UUID, customer_id: str) -> Row | None:
    """By what a customer may be looked for, and by what they were looked for in vain."""
    return await conn.fetchrow(_NAMES, store, customer_id)


async def absent(conn: Connection, store: UUID, customer_id: str, *, names_sha256: bytes, at: datetime) -> None:
    """Chatwoot does not know anybody by these names."""
    await conn.execute(_ABSENT, store, customer_id, names_sha256, at)
