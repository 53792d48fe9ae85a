"""Columns that hold secrets, sealed with an installation key: `v1.<key id>.<ciphertext>`, bound to store and column."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from db.pool import Connection, Row

COLUMNS = (
    "api_access_token", "webhook_secret", "webhook_secret_previous", "event_secret", "event_secret_previous",
    "vouching_secret", "vouching_secret_previous", "identity_key", "shopify_secret", "shopify_secret_previous",
)  # fmt: skip
_HELD = f"""
select id, organization_id, {", ".join(COLUMNS)} from public.chatwoot_accounts
where organization_id = any ($1::uuid[]) order by id for update
"""  # noqa: S608
_KEYS = f"""
select organization_id, split_part(text, '.', 2) as key, array_agg(name order by name) as columns
from public.chatwoot_accounts, unnest(array[{", ".join(f"'{name}'" for name in COLUMNS)}], array[{", ".join(COLUMNS)}]) as t (name, text)
where organization_id = any ($1::uuid[]) and text is not null group by 1, 2
"""  # noqa: S608
_PUT = f"""
update public.chatwoot_accounts set {", ".join(f"{name} = ${at}" for at, name in enumerate(COLUMNS, 2))}, updated_at = now()
where id = $1
"""  # noqa: S608


def sealed_for(column: str) -> str:
    """The column that a text is bound to: a previous secret was the current one when it was sealed."""
    return column.removesuffix("_previous")


async def held(conn: Connection, organizations: Collection[UUID]) -> Sequence[Row]:
    """The accounts of these stores with what is sealed in them, locked; the stores must be in scope."""
    return await conn.fetch(_HELD, list(organizations))


async def keys(conn: Connection, organizations: Collection[UUID]) -> Sequence[Row]:
    """organization_id, the id of a key, and the columns it sealed; the stores must be in scope."""
    return await conn.fetch(_KEYS, list(organizations))


async def put(conn: Connection, account: UUID, sealed: Mapping[str, str | None]) -> None:
    """Every column of COLUMNS, sealed anew."""
    await conn.execute(_PUT, account, *(sealed[name] for name in COLUMNS))
