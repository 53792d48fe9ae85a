"""Stores and their Chatwoot accounts."""

from collections.abc import Collection, Sequence
from uuid import UUID

from db.pool import Connection, Row

_DOORS = """
select organization_id, slug, chatwoot_account_id, webhook_secret, webhook_secret_previous, event_secret, website_token,
  unsigned, path_token_sha256, domains, keep_full_ip, locale, chatwoot_base_url, account_name
from public.chatwoot_accounts where account_status = 'active'
"""
_KNOWN = "select organization_id from public.chatwoot_accounts"
_STORES = "select organization_id, slug, account_status from wootstream.stores() order by slug"
_ORGANIZATION = "insert into public.organizations (id, name) values ($1, $2) on conflict do nothing"
_PUT = """
insert into public.chatwoot_accounts as a
  (organization_id, slug, chatwoot_base_url, chatwoot_account_id, account_name, release, api_access_token, webhook_secret, event_secret,
   website_token, unsigned, path_token_sha256, domains, push, locale, timezone, currency)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
on conflict (organization_id, chatwoot_account_id) do update set
  account_name = excluded.account_name, release = excluded.release, api_access_token = excluded.api_access_token,
  webhook_secret_previous = case when a.webhook_secret is distinct from excluded.webhook_secret then a.webhook_secret end,
  webhook_secret = excluded.webhook_secret, event_secret = excluded.event_secret, website_token = excluded.website_token,
  chatwoot_base_url = excluded.chatwoot_base_url, unsigned = excluded.unsigned, path_token_sha256 = excluded.path_token_sha256,
  domains = excluded.domains, push = excluded.push, locale = excluded.locale, timezone = excluded.timezone, currency = excluded.currency,
  updated_at = now()
"""
_INBOXES = """
insert into wootstream.inboxes as i (organization_id, inbox_id, has_bot)
select $1, unnest($2::int[]), true
on conflict (organization_id, inbox_id) do update set has_bot = true, updated_at = now(),
  recount_after = case when i.has_bot then i.recount_after else 0 end
"""
_ACCOUNT = "select * from public.chatwoot_accounts where organization_id = $1 and account_status <> 'deleted'"


async def doors(conn: Connection) -> Sequence[Row]:
    """What the ingress needs of every active store; secrets are sealed. As role wootstream_ingress."""
    return await conn.fetch(_DOORS)


async def known(conn: Connection) -> set[UUID]:
    """Which of the stores in scope exist."""
    return {row["organization_id"] for row in await conn.fetch(_KNOWN)}


async def everyone(conn: Connection) -> Sequence[Row]:
    """Id, slug and status of every store, whatever the scope."""
    return await conn.fetch(_STORES)


async def add_organization(conn: Connection, organization_id: UUID, name: str) -> None:
    await conn.execute(_ORGANIZATION, organization_id, name)


async def put(conn: Connection, *values: object) -> None:
    """Attach an account, or change it; a changed webhook secret stays valid as the previous one. Values in _PUT's order."""
    await conn.execute(_PUT, *values)


async def mark_bots(conn: Connection, organization_id: UUID, inboxes: Collection[int]) -> None:
    """Remember which inboxes have an agent bot: Chatwoot's first-response rule depends on it."""
    await conn.execute(_INBOXES, organization_id, sorted(inboxes))


async def account(conn: Connection, organization_id: UUID) -> Row | None:
    """The store's account row, secrets sealed; the store must be in scope."""
    return await conn.fetchrow(_ACCOUNT, organization_id)
