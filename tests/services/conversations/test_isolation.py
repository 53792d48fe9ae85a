"""Row security of the conversations' tables: in another store's scope nobody finds these rows, whatever the verb."""

import uuid
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from db.pool import Pool, scoped, set_scope
from db.reporting import account_details, imports
from tests.recordings.recorded import account_webhooks
from tests.services.conversations import bench

TABLES = (
    "wootstream.messages",
    "wootstream.changes",
    "wootstream.ratings",
    "wootstream.conversations",
    "wootstream.chatwoot_reporting_events",
    "public.chatwoot_conversations",
    "wootstream.directory",
    "wootstream.directory_readings",
    "wootstream.releases",
    "wootstream.imported",
)
ROLES = ("wootstream_service", "wootstream_privacy", "wootstream_ingress", "authenticated", "anon")
VERBS = {
    "select": "select organization_id from {table} where organization_id = $1",
    "insert": "insert into {table} select * from {table} where organization_id = $1",
    "update": "update {table} set organization_id = organization_id where organization_id = $1",
    "delete": "delete from {table} where organization_id = $1",
}
REFUSED = "42501"


@pytest.fixture(scope="module")
async def store(pool: Pool, admin_pool: Pool) -> uuid.UUID:
    """A store with rows in every table."""
    shops = await bench.install(admin_pool, "chatwoot-3.16.0")
    await bench.apply(pool, bench.records(account_webhooks("chatwoot-3.16.0"), shops))
    store = shops["kleiber-nord"].id
    async with scoped(pool, {store}) as conn:
        await account_details.asked(conn, store, at=datetime.now(UTC), fault=None)
        await account_details.put_release(conn, store, "3.16.0", at=datetime.now(UTC))
        await imports.done(conn, store, [1])
    return store


@pytest.mark.parametrize("table", TABLES)
async def test_no_role_reaches_rows_of_a_store_outside_its_scope(
    table: str, store: uuid.UUID, admin_pool: Pool
) -> None:
    """Control: the service in the store's own scope does see them."""
    for role in ROLES:
        for verb in VERBS:
            for scope in ((), (uuid.uuid4(),)):
                assert await touched(admin_pool, role, scope, verb, table, store) in (0, REFUSED), (role, verb)
    seen = await touched(admin_pool, "wootstream_service", (store,), "select", table, store)
    assert isinstance(seen, int)
    assert seen > 0


@pytest.mark.parametrize("table", TABLES)
async def test_service_deletes_only_what_is_reckoned(table: str, store: uuid.UUID, admin_pool: Pool) -> None:
    """Facts stay; reporting events may become fewer when a fact arrives late."""
    outcome = await touched(admin_pool, "wootstream_service", (store,), "delete", table, store)
    assert (outcome == REFUSED) == (table != "wootstream.chatwoot_reporting_events")


async def test_another_stores_row_cannot_be_written(store: uuid.UUID, admin_pool: Pool) -> None:
    """Even with both in scope a row names its own account: the composite key refuses a foreign one."""
    async with admin_pool.acquire() as conn:
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await conn.execute(
                "update public.chatwoot_conversations set chatwoot_account_id = 99 where organization_id = $1", store
            )


async def touched(
    admin: Pool, role: str, scope: tuple[uuid.UUID, ...], verb: str, table: str, store: uuid.UUID
) -> int | str:
    """How many of the store's rows the verb touches, or the SQLSTATE that refuses it. Nothing is kept."""
    async with admin.acquire() as conn:
        transaction: Any = conn.transaction()
        await transaction.start()
        try:
            await set_scope(conn, scope)
            await conn.execute(f"set local role {role}")
            return int((await conn.execute(VERBS[verb].format(table=table), store)).rsplit(" ", 1)[1])
        except asyncpg.PostgresError as refused:
            return str(refused.sqlstate)
        finally:
            await transaction.rollback()
