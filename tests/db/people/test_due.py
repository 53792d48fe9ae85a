"""The mailbox: marks add up, quiet is waited for, and nobody who was marked again is forgotten."""

import uuid
from datetime import timedelta
from typing import Any

from db.people import due
from db.pool import Pool, scoped
from tests.services.attached import attach

_AT_ONCE = timedelta(0)


async def _rows(pool: Pool, store: uuid.UUID) -> list[dict[str, Any]]:
    async with scoped(pool, {store}) as conn:
        return [
            dict(row)
            for row in await conn.fetch("select *, not_before - marked_at as wait from wootstream.due order by person")
        ]


async def test_a_person_is_due_only_after_a_quiet_while(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    async with scoped(pool, {store}) as conn:
        await due.mark(conn, [(store, "customer:c1")])
        assert await due.ready(conn, [store], limit=10) == []
    (row,) = await _rows(pool, store)
    assert timedelta(seconds=1.9) < row["wait"] <= timedelta(seconds=2)


async def test_somebody_marked_all_the_time_waits_half_a_minute_at_most(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    async with scoped(pool, {store}) as conn:
        await due.mark(conn, [(store, "customer:c1")])
        await conn.execute("update wootstream.due set waiting_since = now() - interval '1 minute'")
        await due.mark(conn, [(store, "customer:c1")])
        assert [row["marks"] for row in await due.ready(conn, [store], limit=10)] == [2]


async def test_whoever_is_marked_again_meanwhile_stays(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    async with scoped(pool, {store}) as conn:
        await due.mark(conn, [(store, "customer:c1"), (store, "customer:c2")], quiet=_AT_ONCE)
        taken = await due.ready(conn, [store], limit=10)
        await due.mark(conn, [(store, "customer:c2")], quiet=_AT_ONCE)
        for row in taken:
            await due.done(conn, store, row["person"], row["marked_at"], row["marks"])
    assert [row["person"] for row in await _rows(pool, store)] == ["customer:c2"]


async def test_marks_made_meanwhile_are_counted_once_and_their_waiting_begins_anew(
    pool: Pool, admin_pool: Pool
) -> None:
    store = await attach(admin_pool)
    async with scoped(pool, {store}) as conn:
        await due.mark(conn, [(store, "customer:c1")] * 3, quiet=_AT_ONCE)
        await conn.execute("update wootstream.due set waiting_since = now() - interval '1 minute', attempts = 2")
        (taken,) = await due.ready(conn, [store], limit=10)
        await due.mark(conn, [(store, "customer:c1")] * 2, quiet=_AT_ONCE)
        await due.done(conn, store, taken["person"], taken["marked_at"], taken["marks"])
        row = await conn.fetchrow("select marks, attempts, now() - waiting_since as waited from wootstream.due")
    assert row is not None
    assert (taken["marks"], row["marks"], row["attempts"]) == (3, 2, 0)
    assert row["waited"] < timedelta(seconds=30)


async def test_a_mark_does_not_cut_a_back_off_short(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    async with scoped(pool, {store}) as conn:
        await due.mark(conn, [(store, "customer:c1")], quiet=_AT_ONCE)
        await due.postpone(conn, store, "customer:c1", by=timedelta(minutes=5), failed=True)
        await due.mark(conn, [(store, "customer:c1")], quiet=_AT_ONCE)
    (row,) = await _rows(pool, store)
    assert row["wait"] > timedelta(minutes=4)


async def test_a_store_that_goes_live_looks_at_all_its_customers_and_at_no_others(pool: Pool, admin_pool: Pool) -> None:
    store, other = await attach(admin_pool), await attach(admin_pool)
    async with scoped(pool, {store, other}) as conn:
        for one in (store, other):
            await conn.execute("insert into wootstream.customers (organization_id, customer_id) values ($1, 'c1')", one)
        await due.mark_everyone(conn, store)
        await due.mark_everyone(conn, store)
        assert await due.waiting(conn, [store, other]) == {store}
    assert [(row["person"], row["marks"]) for row in await _rows(pool, store)] == [("customer:c1", 1)]
