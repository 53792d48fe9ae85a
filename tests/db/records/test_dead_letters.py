"""Dead letters are counted exactly, whoever writes them, so that what a store's cap costs does not grow with them."""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from db.pool import Pool, scoped, set_scope
from db.records import dead_letters
from db.records.dead_letters import STORE_BYTES_CAP, STORE_WHOLE_CAP, Letter, LetterFilter
from tests.services.attached import attach

_COUNTS = "select letters, whole, whole_bytes from wootstream.dead_letter_counts where organization_id = $1"
_TRUTH = """
select count(*) as letters, count(record_value) as whole,
  coalesce(sum(value_bytes) filter (where record_value is not null), 0) as whole_bytes
from wootstream.dead_letters where organization_id = $1
"""
_FILL = """
insert into wootstream.dead_letters
  (organization_id, consumer_group, topic, partition, era, record_offset, kind, reason, record_value, value_bytes)
select $1::uuid, 'full', $1::uuid::text, 0, 1, n, 'refused', 'full', 'x', $3 from generate_series(1, $2) n
"""


def letter(store: uuid.UUID | None, offset: int, value: bytes = b"value") -> Letter:
    return Letter(1, 0, offset, store, "refused", "because", b"key", value, '[["id", "1"]]')


async def set_aside(pool: Pool, group: str, *letters: Letter) -> None:
    stores = {one.organization_id for one in letters if one.organization_id}
    async with scoped(pool, stores) as conn:
        await dead_letters.set_aside(conn, group, "topic", letters)


async def counted(admin: Pool, store: uuid.UUID) -> tuple[int, int, int]:
    """As the counter has it, which is what the rows say."""
    async with admin.acquire() as conn:
        row, truth = await conn.fetchrow(_COUNTS, store), await conn.fetchrow(_TRUTH, store)
    assert row is not None
    assert truth is not None
    assert dict(row) == dict(truth)
    return row["letters"], row["whole"], row["whole_bytes"]


async def test_letters_are_counted_as_they_come_repeat_are_discarded_sent_again_and_deleted(
    pool: Pool, admin_pool: Pool
) -> None:
    store, group = await attach(admin_pool), uuid.uuid4().hex
    await set_aside(pool, group, letter(store, 1), letter(store, 2), letter(store, 3, b"0123456789"))
    await set_aside(pool, group, letter(store, 3), letter(store, 4))
    assert await counted(admin_pool, store) == (4, 4, 25)

    async with scoped(pool, {store}) as conn:
        first, second, *_ = [
            row["id"] for row in await dead_letters.chosen(conn, LetterFilter(store=store), limit=None)
        ]
        await dead_letters.discard(conn, [first])
        await dead_letters.mark_redriven(conn, [second])
    after = await counted(admin_pool, store)
    async with admin_pool.acquire() as conn:
        await conn.execute("delete from wootstream.dead_letters where organization_id = $1", store)

    assert after[0] == 4
    assert after[1] < 3
    assert await counted(admin_pool, store) == (0, 0, 0)


@pytest.mark.parametrize(("letters", "each"), [(1, STORE_BYTES_CAP), (STORE_WHOLE_CAP, 1)], ids=["bytes", "letters"])
async def test_a_full_store_keeps_positions_and_another_whole_records(
    letters: int, each: int, pool: Pool, admin_pool: Pool
) -> None:
    full, other, group = await attach(admin_pool), await attach(admin_pool), uuid.uuid4().hex
    async with admin_pool.acquire() as conn:
        await conn.execute(_FILL, full, letters, each)

    await set_aside(pool, group, letter(full, 1), letter(other, 2), letter(None, 3))

    async with admin_pool.acquire() as conn:
        kept = await conn.fetch(
            "select record_offset, record_value from wootstream.dead_letters where consumer_group = $1 order by 1",
            group,
        )
    assert [tuple(row.values()) for row in kept] == [(1, None), (2, b"value"), (3, b"value")]
    assert (await counted(admin_pool, full))[0] == letters + 1


async def test_two_consumers_with_letters_of_the_same_stores_do_not_deadlock(pool: Pool, admin_pool: Pool) -> None:
    one, other = await attach(admin_pool), await attach(admin_pool)

    async def many(stores: Sequence[uuid.UUID]) -> None:
        group = uuid.uuid4().hex
        for number in range(20):
            await set_aside(pool, group, *(letter(store, 2 * number + i) for i, store in enumerate(stores)))

    await asyncio.gather(*(many(stores) for stores in ([one, other], [other, one]) * 2))

    assert [(await counted(admin_pool, store))[0] for store in (one, other)] == [80, 80]


async def test_the_cap_is_judged_without_a_look_at_the_letters(pool: Pool, admin_pool: Pool) -> None:
    """500 letters took 9 s where a store had 50,000: the sum over all of them was made for each."""
    store = await attach(admin_pool)

    class Explained:
        plan = ""

        async def execute(self, query: str, *values: object) -> None:
            rows = await conn.fetch(f"explain (analyze, verbose) {query}", *values)
            self.plan += "\n".join(row["QUERY PLAN"] for row in rows)

    async with pool.acquire() as conn, conn.transaction():
        await set_scope(conn, {store})
        explained: Any = Explained()
        await dead_letters.set_aside(explained, uuid.uuid4().hex, "topic", [letter(store, 1)])

    assert "Insert on wootstream.dead_letters" in explained.plan
    assert "dead_letter_counts" in explained.plan
    assert "Scan on wootstream.dead_letters" not in explained.plan


async def test_services_cannot_write_the_counts(pool: Pool, admin_pool: Pool) -> None:
    async with admin_pool.acquire() as conn:
        granted = await conn.fetch(
            "select grantee, privilege_type from information_schema.role_table_grants"
            " where table_name = 'dead_letter_counts' and grantee <> 'wootstream_owner' order by 1, 2"
        )
    assert [tuple(row.values()) for row in granted] == [
        ("wootstream_privacy", "SELECT"),
        ("wootstream_service", "SELECT"),
    ]
