"""A store of one test's own, attached to an account of a Chatwoot of its own."""

import uuid
from typing import Any

from db.pool import Pool
from db.stores import add_organization
from services.kernel.secrets import Secrets

ACCOUNT_ID = 3
TOKEN = "token"


async def attach(admin: Pool, **columns: Any) -> uuid.UUID:
    """A store with defaults that work; `columns` of chatwoot_accounts win."""
    store: uuid.UUID = columns.get("organization_id") or uuid.uuid4()
    values = {
        "organization_id": store,
        "slug": f"shop-{store.hex[:12]}",
        "chatwoot_base_url": f"https://{store.hex}.example",
        "chatwoot_account_id": ACCOUNT_ID,
        "account_name": "shop",
        "website_token": store.hex,
    } | columns
    holes = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    async with admin.acquire() as conn:
        await add_organization(conn, store, "shop")
        await conn.execute(
            f"insert into public.chatwoot_accounts ({', '.join(values)}) values ({holes})",  # noqa: S608
            *values.values(),
        )
    return store


async def authorize(admin: Pool, store: uuid.UUID, secrets: Secrets) -> None:
    """Give the store the token of its account, sealed as always."""
    sealed = secrets.seal(TOKEN, organization=store, column="api_access_token")
    async with admin.acquire() as conn:
        await conn.execute(
            "update public.chatwoot_accounts set api_access_token = $2 where organization_id = $1", store, sealed
        )
