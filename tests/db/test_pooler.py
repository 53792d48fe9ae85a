"""Behind a real PgBouncer in transaction mode: the services work, whatever it does with a session's settings."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx
import pytest

from db.address import read
from db.migrate import MigrationPooled, migrate
from db.pool import PEOPLE, SERVICE, Pool, open_pool, scoped_as_person
from db.pooler import NoRole, direct_connection
from db.widget import event_rows
from local.demo.services import running
from local.process_environment import environment_of
from schemas.topics import WEBHOOKS
from services.kernel import Clock, Process, Settings
from services.kernel.every import every
from tests.eventually import eventually
from tests.kernel_bench import Bench, open_bench
from tests.pooler import IGNORING, needs_pgbouncer, pooled
from tests.services.attached import attach
from tests.services.ingress.bench import open_shop, post_webhook
from tests.services.widget.test_handlers import event, keep, post

pytestmark = needs_pgbouncer


@pytest.fixture(params=["", IGNORING], ids=["defaults", "ignoring what it does not know"])
async def address(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> AsyncIterator[str]:
    async with pooled(database_url, tmp_path / "pooler", request.param) as address:
        yield address


@pytest.fixture
async def bench(address: str, kafka: str, database_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    """A bench whose services go through the pooler, and whose own looks do not."""
    async with open_bench(kafka, database_url, tmp_path) as opened:
        opened.settings = type(opened.settings).model_validate(
            opened.settings.model_dump(exclude_unset=True) | {"database_url": address}
        )
        yield opened


async def test_pooler_is_told_from_the_server_itself(address: str, database_url: str) -> None:
    assert await direct_connection(read(address), {"jit": "off"}) is None
    connection = await direct_connection(read(database_url), {"jit": "off"})
    assert connection is not None
    assert await connection.fetchval("show jit") == "off"
    await connection.close()


async def test_records_are_applied_and_a_poisonous_one_is_set_aside(bench: Bench) -> None:
    async with bench.consuming(), bench.consuming():
        await bench.send([*range(100), -1, *range(100, 200)])
        await bench.until("consumed", 201)
    assert await bench.stored() == list(range(200))
    assert [one["kind"] for one in await bench.dead()] == ["refused"]


async def test_each_transaction_acts_as_the_role_and_leaves_nothing_to_the_next(address: str) -> None:
    pool = open_pool(address, SERVICE, size=8)
    asked = "select current_user || ' ' || current_setting('lock_timeout')"
    try:
        as_one = await asyncio.gather(*(_alone(pool, asked) for _ in range(20)))
        together = await asyncio.gather(*(_in_transaction(pool, asked) for _ in range(20)))
    finally:
        await pool.close()
    stranger = await asyncpg.connect(address, statement_cache_size=0)
    async with stranger.transaction():
        left = await stranger.fetchval(asked)
    await stranger.close()

    assert set(as_one) | set(together) == {"wootstream_service 5s"}
    assert left.startswith("shop_")
    assert left.endswith(" 0")


async def test_each_person_is_who_they_are_for_a_transaction_and_nobody_after_it(address: str) -> None:
    pool = open_pool(address, PEOPLE, size=8)
    people = [uuid.uuid4() for _ in range(20)]

    async def asked(person: uuid.UUID) -> uuid.UUID:
        async with scoped_as_person(pool, person) as conn:
            return uuid.UUID(str(await conn.fetchval("select auth.uid()")))

    try:
        assert await asyncio.gather(*map(asked, people)) == people
        assert await asyncio.gather(*(_alone(pool, "select auth.uid()") for _ in people)) == ["None"] * len(people)
    finally:
        await pool.close()


async def test_a_role_that_the_server_behind_it_does_not_know_is_named(address: str) -> None:
    pool = open_pool(address, "wootstream_that_nobody_made")
    with pytest.raises(NoRole, match="PostgreSQL has no role wootstream_that_nobody_made"):
        await _alone(pool, "select 1")
    await pool.close()


async def _alone(pool: Pool, query: str) -> str:
    async with pool.acquire(timeout=10) as conn:
        return str(await conn.fetchval(query))


async def _in_transaction(pool: Pool, query: str) -> str:
    async with pool.acquire(timeout=10) as conn, conn.transaction():
        await conn.execute("set transaction isolation level repeatable read")
        async with conn.transaction():
            return str(await conn.fetchval(query))


async def test_statement_that_fails_alone_leaves_the_connection_usable(address: str) -> None:
    pool = open_pool(address, SERVICE, size=1)
    try:
        async with pool.acquire(timeout=10) as conn:
            with pytest.raises(asyncpg.DivisionByZeroError):
                await conn.fetchval("select 1 / $1::int", 0)
            assert await conn.fetchval("select $1::jsonb", {"a": [1]}) == {"a": [1]}
    finally:
        await pool.close()


async def test_many_widget_events_leave_nothing_to_the_next_transaction(
    address: str, admin_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come through a table of the session, which is somebody else's afterwards."""
    monkeypatch.setattr(event_rows, "_MANY", 1)
    pool, stores = open_pool(address, SERVICE, size=8), [await attach(admin_pool) for _ in range(8)]

    async def twice(store: uuid.UUID) -> list[int]:
        records = [post(store, event(), event())]
        return [len(await keep(pool, records)) for _ in range(2)]

    try:
        assert await asyncio.gather(*map(twice, stores)) == [[1, 0]] * len(stores)
    finally:
        await pool.close()


async def test_work_for_one_process_is_done_by_one_and_taken_over(bench: Bench) -> None:
    processes = [Process(bench.settings, Clock()) for _ in range(2)]
    at_it: list[int] = []
    done = [0, 0]

    def work_of(number: int) -> None:
        async def work() -> bool:
            at_it.append(number)
            assert set(at_it) == {number}
            await asyncio.sleep(0)
            done[number] += 1
            at_it.clear()
            return True

        every(processes[number], work, name=f"alone {bench.group}", seconds=0.01, alone=True)

    for number in range(2):
        work_of(number)
    serving = [asyncio.create_task(process.serve()) for process in processes]
    await eventually(lambda: sum(done) >= 50)
    assert min(done) == 0
    first = 0 if done[0] else 1
    processes[first].stopping.set()
    await eventually(lambda: done[1 - first] > 10)
    processes[1 - first].stopping.set()
    assert await asyncio.gather(*serving) == [0, 0]


@pytest.mark.usefixtures("topics")
async def test_all_services_serve_behind_it(address: str, settings: Settings, admin_pool: Pool, tmp_path: Path) -> None:
    shop = await open_shop(admin_pool, settings)
    environment = environment_of(settings) | {"DATABASE_URL": address, "WOOTSTREAM_DATA_DIRECTORY": str(tmp_path)}
    environment["WOOTSTREAM_INSTALLATION_KEY_FILE"] = str(settings.data_directory / "installation.key")
    body = b'{"event":"contact_created","id":1,"account":{"id":%d},"name":"Jan"}' % shop.account_id

    async def consumed() -> int:
        async with admin_pool.acquire() as conn:
            return int(await conn.fetchval("select coalesce(sum(consumed), 0) from wootstream.ledger where topic = $1",
                                           WEBHOOKS.name))  # fmt: skip

    before = await consumed()
    async with running(environment, tmp_path / "log") as ours, httpx.AsyncClient(base_url=ours.address) as client:
        assert (await post_webhook(client, shop, body, at=datetime.now(UTC))).status_code == 204
        await eventually(lambda: _above(consumed, before))


async def _above(count: Callable[[], Awaitable[int]], before: int) -> bool:
    return await count() > before


async def test_migrations_ask_for_the_server_itself(address: str) -> None:
    with pytest.raises(MigrationPooled, match="the server itself"):
        await migrate(address)
