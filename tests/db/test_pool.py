"""What the connections of a pool have in common; and one kept for what is done one after the other."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from db.pool import SERVICE, DriverConnection, KeptConnection, Pool, open_pool
from db.pooler import NoRole

_PID = "select pg_backend_pid()"
_SESSION = """
select current_user, session_user, array_agg(name || '=' || setting order by name)
from pg_settings where source in ('client', 'session')
"""


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


@pytest.mark.parametrize("more", ["", "?options=-c%20work_mem%3D5MB"], ids=["plain", "with options of the session"])
async def test_the_connection_that_looked_for_a_pooler_is_the_first_one_and_like_the_others(
    database_url: str, more: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    async def counted(*args: Any, **options: Any) -> Any:
        made.append(1)
        return await connect(*args, **options)

    connect = asyncpg.connect
    monkeypatch.setattr(asyncpg, "connect", counted)
    pool = open_pool(database_url + more, SERVICE, size=2)
    try:
        async with pool.acquire() as first:
            assert len(made) == (2 if more else 1)  # what only a start can set is set with another one
            async with pool.acquire() as second:
                sessions = [tuple(await conn.fetchrow(_SESSION) or ()) for conn in (first, second)]
    finally:
        await pool.close()
    assert sessions[0] == sessions[1]
    assert sessions[0][0] == SERVICE
    assert ("work_mem=5120" in sessions[0][2]) == bool(more)


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


async def test_a_process_asks_once_for_each_of_postgresqls_own_types(
    database_url: str, admin_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each connection of asyncpg's asks for uuid[] and its kind anew; what a database made itself may differ."""
    asked: list[set[int]] = []

    async def told(self: Any, typeoids: Any, timeout: float | None) -> Any:
        asked.append(set(typeoids))
        return await ask(self, typeoids, timeout)

    ask = asyncpg.Connection._introspect_types
    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", told)
    monkeypatch.setattr(DriverConnection, "_known", {})
    kind = f"kind_{uuid.uuid4().hex}"
    async with admin_pool.acquire() as admin:
        await admin.execute(f"create type public.{kind} as enum ('this', 'that')")
    try:
        for _ in range(2):
            pool = open_pool(database_url, SERVICE)
            async with pool.acquire() as conn:
                ids = [uuid.uuid4()]
                assert await conn.fetchval("select $1::uuid[]", ids) == ids
                assert await conn.fetchval("select $1::jsonb[]", [{"a": 1}]) == [{"a": 1}]
                assert await conn.fetchval(f"select $1::public.{kind}", "that") == "that"
            await pool.close()
    finally:
        async with admin_pool.acquire() as admin:
            await admin.execute(f"drop type public.{kind}")
    built_in = [types for types in asked if max(types) < 10_000]
    assert len(built_in) == 2
    assert len(asked) == 4


@pytest.mark.parametrize("more", ["", "?options=-c%20work_mem%3D5MB"], ids=["plain", "with options of the session"])
async def test_a_role_that_the_server_does_not_know_is_named(database_url: str, more: str) -> None:
    """As before the first `migrate`: another database of the same server may have made the services' own."""
    pool = open_pool(database_url + more, "wootstream_that_nobody_made")
    with pytest.raises(NoRole, match="PostgreSQL has no role wootstream_that_nobody_made"):
        async with pool.acquire():
            pass
    await pool.close()


async def test_what_else_the_server_does_not_take_is_not_put_down_to_the_role(database_url: str) -> None:
    pool = open_pool(f"{database_url}?options=-c%20work_mem%3Dmuch", SERVICE)
    with pytest.raises(asyncpg.InvalidParameterValueError) as refused:
        async with pool.acquire():
            pass
    assert type(refused.value) is not NoRole
    await pool.close()
