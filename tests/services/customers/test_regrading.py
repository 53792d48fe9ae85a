"""Tiers move without an event: by a store's new rules, and by a year gone by."""

import uuid
from datetime import UTC, datetime, timedelta

from db.pool import Pool, scoped
from schemas.tiers import TierRules
from services.customers import regrading
from services.kernel import Process
from services.kernel.settings import Settings
from tests.services.attached import attach
from tests.services.customers.test_handlers import customer, keep, order, rows

_BY_ORDERS = TierRules.model_validate({"tiers": {"Bronze": {"orders": 1}, "Gold": {"orders": 2}}}).model_dump()
_IN_A_YEAR = TierRules.model_validate({"within": "year", "tiers": {"Silver": {"spent": 100}}}).model_dump()
_BY_ORDERS_IN_A_YEAR = TierRules.model_validate({"within": "year", "tiers": {"Silver": {"orders": 1}}}).model_dump()
_NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)  # of the events' minute 0


async def _reckoned_last(pool: Pool, store: uuid.UUID, at: datetime) -> None:
    """The store's customers as they were at that moment: Silver."""
    async with scoped(pool, {store}) as conn:
        await conn.execute(
            "update wootstream.customers set customer_tier = 'Silver', updated_at = $2 where organization_id = $1",
            store,
            at,
        )


async def _whole(process: Process) -> None:
    while await regrading.turn(process):
        pass


async def _set(admin: Pool, store: uuid.UUID, **columns: object) -> None:
    async with admin.acquire() as conn:
        for name, value in columns.items():
            await conn.execute(
                f"update public.chatwoot_accounts set {name} = $2 where organization_id = $1",  # noqa: S608
                store,
                value,
            )


async def test_after_new_rules_everybodys_tier_follows_and_they_are_due(
    pool: Pool, admin_pool: Pool, settings: Settings
) -> None:
    store, process = await attach(admin_pool), Process(settings)
    try:
        await keep(pool, [order(store, "placed", f"{one}", amount=100, customer=f"c{one % 3}") for one in range(4)])
        async with scoped(pool, {store}) as conn:
            await conn.execute("delete from wootstream.due where organization_id = $1", store)
        assert {row["customer_tier"] for row in await rows(pool, store, "customers")} == {"Bronze"}
        await _set(admin_pool, store, tier_rules=_BY_ORDERS, tiers_after="")
        await _whole(process)
        tiers = {row["customer_id"]: row["customer_tier"] for row in await rows(pool, store, "customers")}
        assert tiers == {"c0": "Gold", "c1": "Bronze", "c2": "Bronze"}
        assert {row["person"] for row in await rows(pool, store, "due")} == {f"customer:c{one}" for one in range(3)}
    finally:
        await process.close()


async def test_an_order_that_became_a_year_old_counts_no_longer(
    pool: Pool, admin_pool: Pool, settings: Settings
) -> None:
    store, process = await attach(admin_pool, tier_rules=_IN_A_YEAR), Process(settings)
    now = datetime.now(UTC)
    minutes = int((now - timedelta(days=370) - _NOON).total_seconds() // 60)
    try:
        await keep(pool, [order(store, "placed", "o1", minute=minutes, amount=20_000)])
        await keep(pool, [order(store, "paid", "o1", minute=minutes + 1)])
        assert (await customer(pool, store))["customer_tier"] is None
        # As it was when it was reckoned last, six days before that order became a year old.
        await _reckoned_last(pool, store, now - timedelta(days=11))
        await _whole(process)
        assert (await customer(pool, store))["customer_tier"] is None
    finally:
        await process.close()


async def test_an_order_that_was_never_paid_counts_for_a_year_from_its_placing(
    pool: Pool, admin_pool: Pool, settings: Settings
) -> None:
    store, process = await attach(admin_pool, tier_rules=_BY_ORDERS_IN_A_YEAR), Process(settings)
    now = datetime.now(UTC)
    minutes = int((now - timedelta(days=370) - _NOON).total_seconds() // 60)
    try:
        await keep(pool, [order(store, "placed", "o1", minute=minutes, amount=20_000)])
        await _reckoned_last(pool, store, now - timedelta(days=11))
        await _whole(process)
        assert (await customer(pool, store))["customer_tier"] is None
    finally:
        await process.close()
