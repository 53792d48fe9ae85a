"""One connection kept for what is done one after the other, of a pool that has no other."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from db.pool import SERVICE, KeptConnection, Pool, open_pool

_PID = "select pg_backend_pid()"


@pytest.fixture
async def only_one(database_url: str) -> AsyncIterator[Pool]:
    pool = open_pool(database_url, SERVICE, size=1)
    yield pool
    await pool.close()


async def _pid(kept: KeptConnection) -> int:
    async with kept.acquire(timeout=10) as conn:
        return int(await conn.fetchval(_PID))


async def _is_free(pool: Pool) -> bool:
    try:
        async with pool.acquire(timeout=0.1):
            return True
    except TimeoutError:
        return False


async def test_it_is_kept_until_it_is_given_back(only_one: Pool) -> None:
    kept = KeptConnection(lambda: only_one)
    assert await _pid(kept) == await _pid(kept)
    assert not await _is_free(only_one)
    await kept.give_back()
    assert await _is_free(only_one)
    await kept.give_back()
    assert await _pid(kept)
    await kept.give_back()


async def test_whoever_fails_gives_it_back(only_one: Pool) -> None:
    kept = KeptConnection(lambda: only_one)
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with kept.acquire() as conn, conn.transaction():
            await conn.execute("select 1 / 0")
    assert await _is_free(only_one)


async def test_one_that_was_lost_is_followed_by_another(only_one: Pool, admin_pool: Pool) -> None:
    kept = KeptConnection(lambda: only_one)
    before = await _pid(kept)
    async with admin_pool.acquire() as admin:
        await admin.execute("select pg_terminate_backend($1)", before)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await _pid(kept)
    assert await _pid(kept) != before
    await kept.give_back()


async def test_whoever_waits_for_one_has_a_turn_though_work_goes_on(only_one: Pool) -> None:
    kept = KeptConnection(lambda: only_one)
    await _pid(kept)
    waiting = asyncio.create_task(_waits(only_one))
    while not waiting.done():
        await _pid(kept)
    await waiting
    await kept.give_back()


async def _waits(pool: Pool) -> None:
    async with pool.acquire(timeout=60):
        pass
