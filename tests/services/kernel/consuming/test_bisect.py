"""Finding the guilty on real PostgreSQL: how many statements it takes, and what is left for the next transaction."""

import math
import random
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

import asyncpg
import pytest

from db.pool import Connection
from services.kernel import Retryable, Stop
from services.kernel.consuming.bisect import TRIES, apply_in_halves
from services.kernel.record import Record
from tests.kernel_bench import Number

_BATCH = 500
_EVENTS = [Number(Record("t", None, b"", (), partition=0, offset=n), n) for n in range(_BATCH)]


class Table:
    """A table that refuses numbers, and how many inserts were tried on it."""

    def __init__(self, conn: Any, guilty: Collection[int]) -> None:
        self.conn = conn
        self.guilty = guilty
        self.tries = 0

    async def apply(self, conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        self.tries += 1
        await conn.execute("insert into kept select unnest($1::int[])", [self.value(event.n) for event in events])
        return {event.record for event in events}

    def value(self, n: int) -> int:
        return -1 - n if n in self.guilty else n

    async def kept(self) -> list[int]:
        return [row["n"] for row in await self.conn.fetch("select n from kept order by n")]


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[Any]:
    conn = await asyncpg.connect(database_url)
    await conn.execute("create temp table kept (n int check (n >= 0))")
    yield conn
    await conn.close()


@pytest.mark.parametrize("guilty", [0, 249, 250, 499, *random.Random(6).sample(range(_BATCH), 4)])
async def test_one_guilty_of_500_costs_at_most_twice_the_logarithm(conn: Any, guilty: int) -> None:
    table = Table(conn, {guilty})
    async with conn.transaction():
        applied = await apply_in_halves(conn, _EVENTS, table.apply)
    assert [record.offset for record, _ in applied.guilty] == [guilty]
    assert await table.kept() == [n for n in range(_BATCH) if n != guilty]
    assert table.tries <= 2 * math.ceil(math.log2(_BATCH))


async def test_fifty_guilty_of_500_finish_in_the_next_transaction(conn: Any) -> None:
    table = Table(conn, set(random.Random(50).sample(range(_BATCH), 50)))
    left, guilty = _EVENTS, []
    for _ in range(2):
        before = table.tries
        async with conn.transaction():
            applied = await apply_in_halves(conn, left, table.apply)
        guilty += [record.offset for record, _ in applied.guilty]
        assert table.tries - before <= TRIES
        left = _EVENTS[_BATCH - len(applied.untried) :]
    assert (left, sorted(guilty)) == ([], sorted(table.guilty))
    assert await table.kept() == [n for n in range(_BATCH) if n not in table.guilty]


async def test_what_is_not_tried_is_a_tail_so_that_the_position_can_stop_before_it(conn: Any) -> None:
    table = Table(conn, range(_BATCH))
    applied = await apply_in_halves(conn, _EVENTS, table.apply)
    assert table.tries == TRIES
    assert [one.offset for one in applied.untried] == list(range(len(applied.guilty), _BATCH))


async def test_a_deferred_constraint_names_its_event_not_the_whole_batch(conn: Any) -> None:
    await conn.execute("create temp table known (n int primary key); insert into known select generate_series(0, 9)")
    await conn.execute("alter table kept add foreign key (n) references known deferrable initially deferred")
    table = Table(conn, set())
    async with conn.transaction():
        applied = await apply_in_halves(conn, _EVENTS[:11], table.apply)
    assert [record.offset for record, _ in applied.guilty] == [10]
    assert await table.kept() == list(range(10))


@pytest.mark.parametrize("error", [Retryable("not yet"), Stop("a column is missing")])
async def test_what_is_nobodys_guilt_ends_the_search(conn: Any, error: Exception) -> None:
    async def moody(_conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        if len(events) < 100:
            raise error
        raise ValueError

    with pytest.raises(type(error)):
        await apply_in_halves(conn, _EVENTS, moody)
