"""Each class of the SQLSTATE table, provoked in a real PostgreSQL: what a failed batch then gets."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from services.kernel.errors import Verdict, describe, verdict
from tests.eventually import eventually

_TABLES = """
create schema {schema} create table parent (id int primary key) create table child (
  id int primary key, parent int references parent deferrable, body jsonb, small smallint, name varchar(3),
  even int check (even % 2 = 0), sure int not null default 0
);
create table {schema}.indexed (body text unique);
create table {schema}.parted (at date) partition by range (at);
insert into {schema}.parent values (1), (2);
grant usage on schema {schema} to wootstream_ingress;
"""
_RAISE = "do $$ begin raise exception using errcode = '%s'; end $$"

# SQLSTATE, what provokes it, what the batch gets.
GUILTY, AGAIN, STOP = Verdict.GUILTY, Verdict.AGAIN, Verdict.STOP
STATEMENTS = [
    ("22P05", r"""insert into child (id, body) values (1, '{"text": "a\u0000b"}')""", GUILTY),
    ("22P02", "insert into child (id, body) values (1, '{')", GUILTY),
    ("22003", "insert into child (id, small) values (1, 99999)", GUILTY),
    ("22001", "insert into child (id, name) values (1, 'four')", GUILTY),
    ("23502", "insert into child (id, sure) values (1, null)", GUILTY),
    ("23505", "insert into child (id) values (1), (1)", GUILTY),
    ("23503", "insert into child (id, parent) values (1, 99)", GUILTY),
    ("23514", "insert into child (id, even) values (1, 3)", GUILTY),
    ("23514", "insert into parted values ('1999-01-01')", GUILTY),  # no partition takes the row
    (
        "21000",
        "insert into parent values (7), (7) on conflict (id) do update set id = excluded.id",
        GUILTY,
    ),
    ("P0001", _RAISE % "P0001", GUILTY),
    ("2F002", _RAISE % "2F002", GUILTY),  # any that the table does not name: bisection shows whose fault it is
    ("0A000", _RAISE % "0A000", STOP),
    ("54000", "insert into indexed select string_agg(md5(n::text), '') from generate_series(1, 1000) n", GUILTY),
    ("25006", "set transaction read only; insert into parent values (7)", AGAIN),
    ("55P03", "set local lock_timeout = 1; select * from parent for update", AGAIN),
    ("57014", "set local statement_timeout = 1; select pg_sleep(5)", AGAIN),
    ("08006", _RAISE % "08006", AGAIN),
    ("53100", _RAISE % "53100", AGAIN),
    ("57P01", _RAISE % "57P01", AGAIN),
    ("57P03", _RAISE % "57P03", AGAIN),
    ("58030", _RAISE % "58030", AGAIN),
    ("XX000", _RAISE % "XX000", AGAIN),
    ("42P01", "select * from absent", STOP),
    ("42703", "select absent from parent", STOP),
    ("42883", "select absent(1)", STOP),
    ("42501", "set local role wootstream_ingress; select * from parent", STOP),
    ("3F000", "create table absent.t (id int)", STOP),
]


@pytest.fixture
async def two(database_url: str) -> AsyncIterator[tuple[Any, Any]]:
    """Two connections to tables of one test; the second holds a lock on every row of `parent`."""
    schema = f"states_{uuid.uuid4().hex[:8]}"
    first, second = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    await first.execute(_TABLES.format(schema=schema))
    for one in (first, second):
        await one.execute(f"set search_path = {schema}")
    await second.execute("begin; select * from parent for update")
    yield first, second
    second.terminate()
    await first.execute(f"rollback; drop schema {schema} cascade")
    await first.close()


@pytest.mark.parametrize(("state", "sql", "expected"), STATEMENTS, ids=[f"{s} {v.value}" for s, _, v in STATEMENTS])
async def test_a_statement_that_fails_gets_its_verdict(
    two: tuple[Any, Any], state: str, sql: str, expected: Verdict
) -> None:
    with pytest.raises(asyncpg.PostgresError) as raised:
        await two[0].execute(f"begin; {sql}")
    assert raised.value.sqlstate == state
    assert verdict(raised.value) is expected
    assert state in describe(raised.value)


async def test_a_deadlock_gets_the_same_batch_again(two: tuple[Any, Any]) -> None:
    first, second = two
    await second.execute("rollback; begin; update parent set id = id where id = 2")
    await first.execute("begin; update parent set id = id where id = 1")
    crossing = [
        first.execute("update parent set id = id where id = 2"),
        second.execute("update parent set id = id where id = 1"),
    ]
    results = await asyncio.gather(*crossing, return_exceptions=True)
    [error] = [one for one in results if isinstance(one, BaseException)]
    assert getattr(error, "sqlstate", None) == "40P01"
    assert verdict(error) is AGAIN


async def test_a_serialization_failure_gets_the_same_batch_again(two: tuple[Any, Any]) -> None:
    first, second = two
    await first.execute("begin isolation level repeatable read; select * from parent")
    await second.execute("update parent set id = 3 where id = 2; commit")
    with pytest.raises(asyncpg.SerializationError) as raised:
        await first.execute("delete from parent where id = 2")
    assert (raised.value.sqlstate, verdict(raised.value)) == ("40001", AGAIN)


async def test_a_backend_that_is_terminated_gets_the_same_batch_again(two: tuple[Any, Any]) -> None:
    first, second = two
    sleeping = asyncio.ensure_future(second.execute("select pg_sleep(30)"))
    kill = "select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and query ~ 'pg_sleep'"
    await eventually(lambda: first.fetchval(kill, second.get_server_pid()))
    with pytest.raises(asyncpg.PostgresError) as raised:
        await sleeping
    # PostgreSQL says 57P01; the driver loses the connection before it has told us.
    assert (raised.value.sqlstate, verdict(raised.value)) == ("08003", AGAIN)


async def test_a_plan_from_before_a_migration_gets_the_same_batch_again(two: tuple[Any, Any]) -> None:
    first, second = two
    await second.execute("rollback")
    async with first.transaction():
        await first.fetch("select * from parent")
    await second.execute("alter table parent add column of_the_next_release int")
    with pytest.raises(asyncpg.InvalidCachedStatementError) as raised:
        async with first.transaction():
            await first.fetch("select * from parent")
    assert verdict(raised.value) is AGAIN
    async with first.transaction():
        assert len(await first.fetch("select * from parent")) == 2


async def test_what_follows_a_lost_connection_gets_the_same_batch_again(two: tuple[Any, Any]) -> None:
    _, second = two
    second.terminate()
    with pytest.raises(asyncpg.InterfaceError) as raised:
        await second.execute("select 1")
    assert verdict(raised.value) is AGAIN


async def test_a_server_without_free_connections_is_waited_for(database_url: str, two: tuple[Any, Any]) -> None:
    role = f"crowded_{uuid.uuid4().hex[:8]}"
    await two[0].execute(f"create role {role} login password 'secret' connection limit 0")
    try:
        with pytest.raises(asyncpg.PostgresError) as raised:
            await asyncpg.connect(database_url, user=role, password="secret")
    finally:
        await two[0].execute(f"drop role {role}")
    assert (raised.value.sqlstate, verdict(raised.value)) == ("53300", AGAIN)


@pytest.mark.parametrize(("state", "change"), [("3D000", {"database": "absent"}), ("28P01", {"user": "absent"})])
async def test_a_wrong_address_stops_the_process(database_url: str, state: str, change: dict[str, str]) -> None:
    with pytest.raises(asyncpg.PostgresError) as raised:
        await asyncpg.connect(database_url, **change)
    assert (raised.value.sqlstate, verdict(raised.value)) == (state, STOP)


async def test_nobody_listening_is_waited_for(database_url: str) -> None:
    nowhere = urlsplit(database_url)._replace(netloc="127.0.0.1:1", query="").geturl()
    with pytest.raises(ConnectionRefusedError) as raised:
        await asyncpg.connect(nowhere, timeout=2)
    assert verdict(raised.value) is AGAIN
