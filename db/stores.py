"""Stores and their Chatwoot accounts."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from db.pool import Connection, Pool, Row

# What the doors know of a store. `version` is another number as soon as one of these is another.
DOOR_COLUMNS = (
    "organization_id", "slug", "chatwoot_account_id", "webhook_secret", "webhook_secret_previous", "event_secret", "event_secret_previous",
    "vouching_secret", "vouching_secret_previous", "website_token", "unsigned", "path_token_sha256", "path_token_sha256_previous",
    "domains", "keep_full_ip", "locale", "chatwoot_base_url", "account_name", "identity_key",
    "consent_needed", "seal", "seal_version", "shopify_secret", "shopify_secret_previous", "shopify_domain",
)  # fmt: skip
_VERSION = f"hashtextextended(row({', '.join(DOOR_COLUMNS)})::text, 0) as version"
_ACTIVE = "from public.chatwoot_accounts where account_status = 'active'"
_VERSIONS = f"select organization_id::text as store, {_VERSION} {_ACTIVE}"
# Of this month, those made ahead, and one more: whatever is late, a store that seals has something to seal with.
_TREES = """
case when seal then (select coalesce(jsonb_agg(to_jsonb(t)), '[]') from (
  select id, begins_at, tree from wootstream.seal_trees s
  where s.organization_id = chatwoot_accounts.organization_id and tree is not null order by begins_at desc, id desc limit 5
) t) end as seal_trees
"""
_DOOR = f"select {', '.join(DOOR_COLUMNS)}, {_TREES}, {_VERSION} {_ACTIVE}"
_OF = f"{_DOOR} and organization_id = any ($1::uuid[])"
_NAMED = f"{_DOOR} and (slug = any ($1::text[]) or website_token = any ($1::text[]))"
_STORES = "select organization_id, slug, account_status from wootstream.stores() order by slug"
_ORGANIZATION = "insert into public.organizations (id, name) values ($1, $2) on conflict do nothing"
_COLUMNS = (
    "organization_id", "slug", "chatwoot_base_url", "chatwoot_account_id", "account_name", "release",
    "api_access_token", "webhook_secret", "webhook_secret_previous", "event_secret", "event_secret_previous",
    "vouching_secret", "vouching_secret_previous", "identity_key", "website_token", "unsigned", "path_token_sha256",
    "path_token_sha256_previous", "domains", "push", "locale", "timezone", "currency", "support_email",
    "create_contacts", "allowed_attributes", "tier_rules", "tiers_after", "formats", "agents_may_change", "seal",
    "shopify_secret", "shopify_secret_previous", "shopify_domain", "erase_when_redacted",
)  # fmt: skip
_PUT = f"""
insert into public.chatwoot_accounts ({", ".join(_COLUMNS)})
values ({", ".join(f"${number}" for number in range(1, len(_COLUMNS) + 1))})
on conflict (organization_id, chatwoot_account_id) do update set
  {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])}, updated_at = now()
"""  # noqa: S608
# The server's own list, for it reckons the days; Python's may know more.
_IS_TIMEZONE = "select exists (select from pg_timezone_names where name = $1)"
_LISTED = """
select organization_id, slug, account_name, account_status, chatwoot_base_url, chatwoot_account_id, release, website_token, unsigned, domains,
  push, locale, timezone, currency, api_access_token is not null as has_api_token from public.chatwoot_accounts order by slug
"""
_HEARD = """
select a.*, c.last_activity_at from public.chatwoot_accounts a left join (
  select organization_id, max(last_activity_at) as last_activity_at from public.chatwoot_conversations group by organization_id
) c using (organization_id) where a.account_status = 'active' order by a.slug
"""
_STATUS = """
update public.chatwoot_accounts set account_status = $2, updated_at = now()
where organization_id = $1 and account_status not in ('deleted', $2)
"""
_RETIRE = """
update public.chatwoot_accounts set account_status = 'deleted', updated_at = now(), push = 'off', api_access_token = null,
  webhook_secret = null, webhook_secret_previous = null, event_secret = null, event_secret_previous = null, vouching_secret = null,
  vouching_secret_previous = null, identity_key = null, shopify_secret = null, shopify_secret_previous = null, unsigned = false,
  path_token_sha256 = null, path_token_sha256_previous = null
where organization_id = $1 and account_status <> 'deleted'
"""
_LISTED_TO_PEOPLE = """
select organization_id, slug, account_name, account_status, chatwoot_base_url, chatwoot_account_id, release, website_token, domains, push,
  locale, timezone, currency from public.chatwoot_accounts order by slug
"""
_ACCOUNT = "select * from public.chatwoot_accounts where organization_id = $1 and account_status <> 'deleted'"


async def door_versions(conn: Connection) -> dict[str, int]:
    """Of every active store, for the doors to see what they must read again. As role wootstream_ingress, like the next two."""
    return {row["store"]: row["version"] for row in await conn.fetch(_VERSIONS)}


async def doors_of(conn: Connection, stores: Collection[str]) -> Sequence[Row]:
    """What the doors need of these stores, and the version that this is; secrets are sealed."""
    return await conn.fetch(_OF, list(stores))


async def doors_named(conn: Connection, names: Collection[str]) -> Sequence[Row]:
    """The same of those that bear one of these names: a short name or a website token."""
    return await conn.fetch(_NAMED, list(names))


async def everyone(conn: Connection) -> Sequence[Row]:
    """Id, slug and status of every store, whatever the scope."""
    return await conn.fetch(_STORES)


async def ids(conn: Connection) -> set[UUID]:
    """Every store, whatever is in scope: what has work for all of them begins with this."""
    return {row["organization_id"] for row in await everyone(conn)}


async def all_ids(pool: Pool) -> set[UUID]:
    """The same, for who has no connection in hand."""
    async with pool.acquire(timeout=10) as conn:
        return await ids(conn)


async def add_organization(conn: Connection, organization_id: UUID, name: str) -> None:
    await conn.execute(_ORGANIZATION, organization_id, name)


async def put(conn: Connection, columns: Mapping[str, object]) -> None:
    """Attach an account, or change it; secrets come sealed, each for the column where it stands."""
    await conn.execute(_PUT, *(columns[name] for name in _COLUMNS))


async def is_timezone(conn: Connection, name: str) -> bool:
    """Whether PostgreSQL, which reckons the store's days, knows it."""
    return bool(await conn.fetchval(_IS_TIMEZONE, name))


async def account(conn: Connection, organization_id: UUID) -> Row | None:
    """The store's account row, secrets sealed; the store must be in scope."""
    return await conn.fetchrow(_ACCOUNT, organization_id)


async def set_status(conn: Connection, organization_id: UUID, status: str) -> bool:
    """Active or suspended: the doors refuse what comes for a suspended one. Whether there was anything to change."""
    return (await conn.execute(_STATUS, organization_id, status)).endswith(" 1")


async def retire(conn: Connection, organization_id: UUID) -> None:
    """The store is deleted: its row stays, for its figures, without its secrets."""
    await conn.execute(_RETIRE, organization_id)


async def listed_to_people(conn: Connection) -> Sequence[Row]:
    """The same as a person sees them: in the scope of one, those where their role may."""
    return await conn.fetch(_LISTED_TO_PEOPLE)


async def listed(conn: Connection) -> Sequence[Row]:
    """The stores in scope as an operator sees them: no secret, sealed or not."""
    return await conn.fetch(_LISTED)


async def heard(conn: Connection) -> Sequence[Row]:
    """The active stores in scope, secrets sealed, each with the last activity that we know of in its conversations."""
    return await conn.fetch(_HEARD)
