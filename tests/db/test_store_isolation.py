"""Row security of widget, customers and contacts: whoever acts in one store's scope does not find another's rows."""

import uuid
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from db.pool import Pool, set_scope
from tests.services.attached import ACCOUNT_ID, attach

_NOW = datetime.now(UTC)
# A row of each table, less its store.
_ROWS: dict[str, dict[str, Any]] = {
    "public.chatwoot_widget_events": {"id": uuid.uuid4(), "event_type": "widget_loaded", "created_at": _NOW},
    "public.chatwoot_contacts": {"chatwoot_account_id": ACCOUNT_ID, "chatwoot_contact_id": 7},
    "wootstream.customers": {"customer_id": "c1"},
    "wootstream.orders": {"order_id": "o1"},
    "wootstream.shop_facts": {
        "source": "shop", "event_id": "e1", "kind": "order.placed", "happened_at": _NOW, "customer_id": "c1",
    },
    "wootstream.visits": {"customer_id": "c1", "session_id": "s1", "first_at": _NOW, "last_at": _NOW},
    "wootstream.contact_differences": {
        "chatwoot_account_id": ACCOUNT_ID, "chatwoot_contact_id": 7, "changed": {}, "removed": [],
    },
    "wootstream.contact_absences": {"customer_id": "c1", "names_sha256": b"x"},
    "wootstream.access_log": {"actor": "somebody", "action": "show", "object": "letter 1"},
    "wootstream.due": {"person": "customer:c1"},
}  # fmt: skip
_ROLES = ("wootstream_service", "wootstream_privacy", "wootstream_ingress", "authenticated", "anon")
_VERBS = ("select", "insert", "update", "delete")


def _insert(table: str, store: uuid.UUID) -> tuple[str, list[Any]]:
    row = {"organization_id": store} | _ROWS[table]
    holes = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    return f"insert into {table} ({', '.join(row)}) values ({holes})", list(row.values())  # noqa: S608


def _statement(verb: str, table: str, store: uuid.UUID) -> tuple[str, list[Any]]:
    if verb == "insert":
        return _insert(table, store)
    text = {
        "select": f"select organization_id from {table} where organization_id = $1",  # noqa: S608
        "update": f"update {table} set organization_id = organization_id where organization_id = $1",  # noqa: S608
        "delete": f"delete from {table} where organization_id = $1",  # noqa: S608
    }
    return text[verb], [store]


async def _touched(admin: Pool, role: str, scope: uuid.UUID, verb: str, table: str, store: uuid.UUID) -> int | str:
    """How many of the store's rows the verb touches, or the SQLSTATE that refuses it. Nothing is kept."""
    text, values = _statement(verb, table, store)
    async with admin.acquire() as conn:
        transaction: Any = conn.transaction()
        await transaction.start()
        try:
            await set_scope(conn, {scope})
            await conn.execute(f"set local role {role}")
            return int((await conn.execute(text, *values)).rsplit(" ", 1)[1])
        except asyncpg.PostgresError as refused:
            return str(refused.sqlstate)
        finally:
            await transaction.rollback()


@pytest.mark.parametrize("table", _ROWS)
async def test_no_role_reaches_a_row_of_a_store_outside_its_scope(table: str, admin_pool: Pool) -> None:
    store, other = await attach(admin_pool), await attach(admin_pool)
    text, values = _insert(table, store)
    async with admin_pool.acquire() as conn:
        await conn.execute(text, *values)
    for role in _ROLES:
        for verb in _VERBS:
            assert await _touched(admin_pool, role, other, verb, table, store) in (0, "42501"), (role, verb)
    assert await _touched(admin_pool, "wootstream_service", store, "select", table, store) == 1
    assert await _touched(admin_pool, "wootstream_privacy", store, "delete", table, store) == 1


async def test_services_delete_nothing_but_mail(admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    allowed = [
        table
        for table in _ROWS
        if await _touched(admin_pool, "wootstream_service", store, "delete", table, store) != "42501"
    ]
    assert allowed == ["wootstream.due"]


async def test_events_and_facts_are_never_changed_by_services(admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    for table in ("public.chatwoot_widget_events", "wootstream.shop_facts"):
        assert await _touched(admin_pool, "wootstream_service", store, "update", table, store) == "42501"


@pytest.mark.parametrize("role", _ROLES)
async def test_a_partition_cannot_be_asked_directly(role: str, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    async with admin_pool.acquire() as conn:
        partition = await conn.fetchval(
            "select inhrelid::regclass::text from pg_inherits"
            " where inhparent = 'public.chatwoot_widget_events'::regclass limit 1"
        )
    assert await _touched(admin_pool, role, store, "select", partition, store) == "42501"


async def test_every_partition_forces_row_security_on_its_own(admin_pool: Pool) -> None:
    async with admin_pool.acquire() as conn:
        found = await conn.fetch(
            "select relrowsecurity and relforcerowsecurity as forced from pg_class join pg_inherits on inhrelid = oid"
            " where inhparent = 'public.chatwoot_widget_events'::regclass"
        )
    assert [row["forced"] for row in found] == [True] * 5


async def _seen_by(admin: Pool, user: uuid.UUID, query: str) -> int | str:
    """What a person who is logged in counts, or the SQLSTATE that refuses it."""
    async with admin.acquire() as conn:
        transaction: Any = conn.transaction()
        await transaction.start()
        try:
            await conn.execute("select set_config('request.jwt.claim.sub', $1, true)", str(user))
            await conn.execute("set local role authenticated")
            return int(await conn.fetchval(query))
        except asyncpg.PostgresError as refused:
            return str(refused.sqlstate)
        finally:
            await transaction.rollback()


@pytest.mark.parametrize(("role", "contacts", "events"), [("staff", 1, 0), ("manager", 1, 1)])
async def test_people_see_their_own_store_as_far_as_their_role_goes(
    role: str, contacts: int, events: int, admin_pool: Pool
) -> None:
    store, other, user = await attach(admin_pool), await attach(admin_pool), uuid.uuid4()
    async with admin_pool.acquire() as conn:
        for table in ("public.chatwoot_contacts", "public.chatwoot_widget_events"):
            for one in (store, other):
                text, values = _insert(table, one)
                await conn.execute(text, *values)
        await conn.execute("insert into auth.users (id) values ($1)", user)
        await conn.execute("insert into wootstream.members values ($1, $2, $3)", store, user, role)
    assert await _seen_by(admin_pool, user, "select count(*) from public.chatwoot_contacts") == contacts
    assert await _seen_by(admin_pool, user, "select count(*) from public.chatwoot_widget_events") == events
    assert await _seen_by(admin_pool, user, "select count(cached_attributes) from public.chatwoot_contacts") == "42501"
    assert await _seen_by(admin_pool, user, "select count(ip_address) from public.chatwoot_widget_events") == "42501"
