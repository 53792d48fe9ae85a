"""A sender with a clock of its own and a Chatwoot that only it calls, on the real PostgreSQL."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from db.people import due
from db.pool import Pool, scoped
from services.contacts.sending.sender import AttributeSender
from services.kernel import Process
from tests.services.attached import ACCOUNT_ID, attach, authorize
from tests.services.contacts.api import ContactsDouble
from tests.unit.kernel.test_chatwoot import Hand

AT_ONCE = timedelta(0)


@dataclass
class Bench:
    """What a test of the sender says and looks at."""

    process: Process
    sender: AttributeSender
    api: ContactsDouble
    clock: Hand
    pool: Pool
    admin: Pool

    async def store(self, **columns: Any) -> uuid.UUID:
        store = await attach(self.admin, **{"push": "live"} | columns)
        await authorize(self.admin, store, self.process.secrets)
        return store

    async def customer(self, store: uuid.UUID, customer: str = "c1", **columns: Any) -> None:
        values = {
            "organization_id": store,
            "customer_id": customer,
            "order_count": 1,
            "customer_tier": "Gold",
        } | columns
        await self._insert(store, "wootstream.customers", values)

    async def contact(self, store: uuid.UUID, contact: int = 7, **columns: Any) -> None:
        """Known here and there."""
        values = {"organization_id": store, "chatwoot_account_id": ACCOUNT_ID, "chatwoot_contact_id": contact} | columns
        await self._insert(store, "public.chatwoot_contacts", values)
        names = {"identifier": columns.get("customer_id"), "email": columns.get("email")}
        self.api.add(host(store), contact, **names, custom_attributes=columns.get("cached_attributes", {}))

    async def _insert(self, store: uuid.UUID, table: str, values: dict[str, Any]) -> None:
        holes = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        async with scoped(self.pool, {store}) as conn:
            await conn.execute(f"insert into {table} ({', '.join(values)}) values ({holes})", *values.values())  # noqa: S608

    async def change(self, store: uuid.UUID, customer: str = "c1", **columns: Any) -> None:
        """The shop says something, and the customer is due at once."""
        async with scoped(self.pool, {store}) as conn:
            for name, value in columns.items():
                await conn.execute(
                    f"update wootstream.customers set {name} = $3 where organization_id = $1 and customer_id = $2",  # noqa: S608
                    store,
                    customer,
                    value,
                )
            await due.mark(conn, [(store, f"customer:{customer}")], quiet=AT_ONCE)

    async def mailbox(self, store: uuid.UUID) -> list[dict[str, Any]]:
        async with scoped(self.pool, {store}) as conn:
            return [dict(row) for row in await conn.fetch("select * from wootstream.due order by person")]

    async def ripen(self, store: uuid.UUID) -> None:
        """Their back-off is over."""
        self.clock.seconds += 60
        async with scoped(self.pool, {store}) as conn:
            await conn.execute("update wootstream.due set not_before = now()")

    def made(self, store: uuid.UUID) -> list[tuple[str, Any]]:
        """Path and body of the calls for this store; what other tests left due is served beside it."""
        return self.api.made(host(store))

    def count(self, store: uuid.UUID, outcome: str) -> float:
        found = self.process.registry.get_sample_value(
            "wootstream_contacts_calls_total", {"store": str(store), "outcome": outcome}
        )
        return found or 0.0


def host(store: uuid.UUID) -> str:
    return f"{store.hex}.example"
