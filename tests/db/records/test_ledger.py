"""The ledger: a position is accounted for or refused; rows are locked in order, and the scope comes with the lock."""

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from db.pool import Pool
from db.records import ledger
from db.records.ledger import Move
from tests.databases import waiting_for_locks
from tests.eventually import eventually

_STORE = """
with organization as (insert into public.organizations (id, name) values ($1, $2) returning id)
insert into public.chatwoot_accounts
  (organization_id, slug, chatwoot_base_url, chatwoot_account_id, account_name, website_token)
select id, $2, 'http://' || $2, 1, $2, $2 from organization
"""

_PLANS = "select generic_plans, custom_plans from pg_prepared_statements where statement = any ($1)"


@dataclass
class Known:
    """A group with eight partitions, and two stores."""

    pool: Pool
    group: str
    ours: uuid.UUID
    other: uuid.UUID

    async def enter(self, conn: Any, *partitions: int) -> dict[int, ledger.LedgerRow]:
        return (await ledger.enter(conn, self.group, "topic", _only_locked(*partitions), [self.ours])).rows

    async def move(self, move: Move) -> None:
        async with self.pool.acquire() as conn, conn.transaction():
            await self.enter(conn, move.partition)
            await ledger.move(conn, self.group, "topic", [move])


@pytest.fixture
async def known(pool: Pool, admin_pool: Pool) -> Known:
    known = Known(pool, f"ledger-{uuid.uuid4().hex[:8]}", uuid.uuid4(), uuid.uuid4())
    async with admin_pool.acquire() as conn:
        for store in (known.ours, known.other):
            await conn.execute(_STORE, store, f"s-{store.hex[:12]}")
        await ledger.begin(conn, known.group, "topic", dict.fromkeys(range(8), 10), cluster_id="c")
    return known


async def test_a_position_is_moved_with_what_became_of_each_offset(known: Known) -> None:
    await known.move(Move(3, 20, 18, "id", applied=4, duplicate=1, ignored=2, dead=1, hollow=2, redelivered=5))
    async with known.pool.acquire() as conn:
        place = (await ledger.look(conn, known.group, "topic", [3]))[3]
    assert (place.next_offset, place.anchor_offset, place.anchor_id) == (20, 18, "id")


@pytest.mark.parametrize("move", [Move(3, 20, applied=9), Move(3, 20, applied=11), Move(3, 9, applied=-1)])
async def test_counts_that_do_not_add_up_to_the_position_are_refused(known: Known, move: Move) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await known.move(move)


async def test_whoever_enters_sees_the_stores_named_and_no_other_until_the_transaction_ends(known: Known) -> None:
    async with known.pool.acquire() as conn:
        async with conn.transaction():
            await known.enter(conn, 0)
            during = await _visible(conn)
        after = await _visible(conn)
    assert (during, after) == ({known.ours}, set())


async def test_whoever_enters_hears_which_of_the_stores_named_are_gone(known: Known, admin_pool: Pool) -> None:
    unheard_of = uuid.uuid4()
    async with admin_pool.acquire() as admin:
        await admin.execute("delete from public.chatwoot_accounts where organization_id = $1", known.other)
    async with known.pool.acquire() as conn:
        async with conn.transaction():
            named = [known.ours, known.other, unheard_of]
            entered = await ledger.enter(conn, known.group, "topic", _only_locked(0, 1, 99), named)
        async with conn.transaction():
            nowhere = await ledger.enter(conn, known.group, "topic", _only_locked(99), named)
    assert (sorted(entered.rows), entered.gone) == ([0, 1], {known.other, unheard_of})
    assert nowhere == ledger.Entered({}, set(), {})


async def test_whoever_enters_anew_sees_the_stores_named_now_from_the_first_statement_on(known: Known) -> None:
    gone: set[uuid.UUID] = set()
    async with known.pool.acquire() as conn, conn.transaction():
        for _ in range(10):  # PostgreSQL plans a statement anew for its first five times, then once and for all
            for store in (known.other, known.ours):
                gone |= (await ledger.enter(conn, known.group, "topic", _only_locked(0, 1), [store])).gone
        seen = await _visible(conn)
    assert (gone, seen) == (set(), {known.ours})


async def test_batches_of_any_shape_are_entered_and_moved_by_plans_that_are_made_once(known: Known) -> None:
    """A plan made anew for each batch costs three times what it then does."""
    async with known.pool.acquire() as conn:
        for at in range(11, 23):
            partitions = range(at % 7 + 1)
            async with conn.transaction():
                rows = await known.enter(conn, *partitions)
                moves = [Move(one, row.next_offset + 1, row.next_offset, "id", applied=1) for one, row in rows.items()]
                await ledger.move(conn, known.group, "topic", moves)
        plans = await conn.fetch(_PLANS, [ledger._ENTER, ledger._MOVE])
    assert [(row["generic_plans"] >= 7, row["custom_plans"]) for row in plans] == [(True, 5)] * 2


async def test_whoever_enters_waits_for_the_lowest_partition_first(known: Known, admin_pool: Pool) -> None:
    async with known.pool.acquire() as first, known.pool.acquire() as second, known.pool.acquire() as third:
        async with first.transaction():
            await known.enter(first, 2)
            waiting = asyncio.ensure_future(_enter(known, second, 7, 4, 2))
            await eventually(lambda: _is_blocked(admin_pool))
            async with third.transaction():
                held = await known.enter(third, 4, 7)  # not locked yet by who waits for 2
        places = await waiting
    assert (sorted(held), sorted(places)) == ([4, 7], [2, 4, 7])


async def test_whoever_waited_for_the_lock_gets_the_position_as_it_is_then(known: Known, admin_pool: Pool) -> None:
    async with known.pool.acquire() as first, known.pool.acquire() as second:
        async with first.transaction():
            await known.enter(first, 3)
            waiting = asyncio.ensure_future(_enter(known, second, 3))
            await eventually(lambda: _is_blocked(admin_pool))
            await ledger.move(first, known.group, "topic", [Move(3, 20, 19, "id", applied=10)])
        place = (await waiting)[3]
    assert (place.next_offset, place.anchor_id) == (20, "id")


async def test_whoever_enters_is_moved_at_once_where_the_row_stands_where_the_batch_begins(known: Known) -> None:
    moves = [
        Move(2, 15, 14, "two", applied=5, from_offset=10),
        Move(3, 15, 14, "three", applied=4, from_offset=11),
        Move(4, 15),
    ]
    async with known.pool.acquire() as conn:
        async with conn.transaction():
            entered = await ledger.enter(conn, known.group, "topic", moves, [known.ours])
        after = await ledger.look(conn, known.group, "topic", [2, 3, 4])
    assert {one: row.next_offset for one, row in entered.rows.items()} == {2: 10, 3: 10, 4: 10}
    assert entered.moved == {2}
    assert [(row.next_offset, row.anchor_offset, row.anchor_id) for row in after.values()] == [
        (15, 14, "two"),
        (10, None, None),
        (10, None, None),
    ]


@pytest.mark.parametrize("begin", [10, 20])
async def test_of_two_that_enter_at_once_the_second_has_moved_nothing(
    known: Known, admin_pool: Pool, begin: int
) -> None:
    """It waited for the first one's row: where that one left it, it is told, wherever it wanted to begin."""
    async with known.pool.acquire() as first, known.pool.acquire() as second:
        async with first.transaction():
            await ledger.enter(first, known.group, "topic", _move("a", 10), [known.ours])
            waiting = asyncio.ensure_future(_entered(known, second, _move("b", begin)))
            await eventually(lambda: _is_blocked(admin_pool))
        entered = await waiting
        after = (await ledger.look(first, known.group, "topic", [3]))[3]
    assert (entered.rows[3].next_offset, entered.moved) == (20, frozenset())
    assert (after.next_offset, after.anchor_id) == (20, "a")


async def test_what_a_move_counted_otherwise_is_what_is_left_of_it(known: Known) -> None:
    made, meant = _move("a", 10)[0], Move(3, 20, 19, "a", applied=7, duplicate=2, dead=1)
    async with known.pool.acquire() as conn, conn.transaction():
        await ledger.enter(conn, known.group, "topic", [made], [known.ours])
        await ledger.move(conn, known.group, "topic", [meant.beyond(made)])
    async with known.pool.acquire() as conn:
        rows = [row for row in await ledger.everything(conn) if row["consumer_group"] == known.group]
    row = next(row for row in rows if row["partition"] == 3)
    assert [row[name] for name in ("next_offset", "consumed", "applied", "duplicate", "ignored", "dead")] == [
        20,
        10,
        7,
        2,
        0,
        1,
    ]
    assert not made.beyond(made).counts


def _move(anchor: str, begin: int) -> list[Move]:
    """Ten offsets of one partition on, from there."""
    return [Move(3, begin + 10, begin + 9, anchor, applied=10, from_offset=begin)]


def _only_locked(*partitions: int) -> list[Move]:
    return [Move(one, 0) for one in partitions]


async def _entered(known: Known, conn: Any, moves: list[Move]) -> ledger.Entered:
    async with conn.transaction():
        return await ledger.enter(conn, known.group, "topic", moves, [known.ours])


async def _enter(known: Known, conn: Any, *partitions: int) -> dict[int, ledger.LedgerRow]:
    async with conn.transaction():
        return await known.enter(conn, *partitions)


async def _visible(conn: Any) -> set[uuid.UUID]:
    return {row["organization_id"] for row in await conn.fetch("select organization_id from public.chatwoot_accounts")}


async def _is_blocked(admin_pool: Pool) -> bool:
    async with admin_pool.acquire() as conn:
        return await waiting_for_locks(conn, "wootstream.ledger") > 0
