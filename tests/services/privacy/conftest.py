"""A store with its tables as role wootstream_privacy sees them."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from db import stores
from db.pool import PRIVACY, Pool, open_pool, scoped
from services.privacy.who import PersonNames, find, meant
from tests.services.attached import ACCOUNT_ID, attach


@dataclass
class KnownShop:
    """People are put in as the consumers would."""

    pool: Pool
    admin: Pool
    store: uuid.UUID

    async def put(self, table: str, **columns: Any) -> None:
        values = {"organization_id": self.store, **columns}
        holes = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        async with self.admin.acquire() as conn:
            await conn.execute(f"insert into {table} ({', '.join(values)}) values ({holes})", *values.values())  # noqa: S608

    async def customer(self, customer_id: str, **columns: Any) -> None:
        await self.put("wootstream.customers", customer_id=customer_id, **columns)

    async def contact(self, number: int, **columns: Any) -> None:
        names = {"chatwoot_account_id": ACCOUNT_ID, "chatwoot_contact_id": number} | columns
        await self.put("public.chatwoot_contacts", **names)

    async def find(self, text: str) -> PersonNames:
        async with scoped(self.pool, {self.store}) as conn:
            return await find(conn, self.store, meant(text))


@pytest.fixture
def alone(shop: "KnownShop", monkeypatch: pytest.MonkeyPatch) -> None:
    """The service sees this store only: what other tests left open is not gone on with."""

    async def ids(_conn: object) -> set[uuid.UUID]:
        return {shop.store}

    monkeypatch.setattr(stores, "ids", ids)


@pytest.fixture
async def shop(database_url: str, admin_pool: Pool) -> AsyncIterator[KnownShop]:
    pool = open_pool(database_url, PRIVACY)
    yield KnownShop(pool, admin_pool, await attach(admin_pool))
    await pool.close()
