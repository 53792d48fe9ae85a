"""Row security, table by table: what the catalogue says, and what each role can do in and outside of a store's scope.

Each policy is also dropped, and widened to all rows, in a transaction that is rolled back: the comparison must fail.
"""

import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from db.pool import TooMuchPower, open_pool, use_json
from tests.databases import copied_database
from tests.db.rows import EVERYONE, INGRESS, OWNER, PRIVACY, SERVICE, TENANTS, Tenant

A, B, NEW = uuid.UUID(int=0xA), uuid.UUID(int=0xB), uuid.UUID(int=0xC)
_NOBODY = uuid.UUID(int=0)
_COUNTS = "wootstream.dead_letter_counts"  # written by triggers alone
pytestmark = pytest.mark.xdist_group("a database without others' rows")
_VERBS = ("select", "insert", "update", "delete")
# What happens is undone, the role with it: only the number of rows, or the SQLSTATE that refused, remains.
_TRY = """
create function pg_temp.tried(role text, scope text, person text, statement text) returns text language plpgsql as $$
declare touched bigint;
begin
  perform set_config('wootstream.organizations', scope, true), set_config('request.jwt.claim.sub', person, true);
  execute format('set local role %I', role);
  execute statement;
  get diagnostics touched = row_count;
  raise exception using errcode = 'WSTRY', message = touched;
exception
  when sqlstate 'WSTRY' then return sqlerrm;
  when others then return sqlstate;
end $$
"""
_TRIED = """
select pg_temp.tried(t.role, t.scope, t.person, t.statement) as outcome
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) with ordinality as t (role, scope, person, statement, at)
order by at
"""
_TENANT_TABLES = """
select c.oid::regclass::text as name, n.nspname || '.' || c.relname as full,
  c.relrowsecurity and c.relforcerowsecurity as forced, c.relispartition as partition
from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
where a.attname = 'organization_id' and not a.attisdropped and c.relkind in ('r', 'p')
  and n.nspname in ('public', 'wootstream')
"""
_GRANTED = """
select c.oid::regclass::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace, unnest(array['public', 'anon']) as role,
  unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) as verb
where n.nspname in ('public', 'wootstream') and c.relkind in ('r', 'p', 'v') and has_table_privilege(role, c.oid, verb)
"""
_POLICIES = """
select polrelid::regclass::text as name, n.nspname || '.' || c.relname as full, polname as policy,
  0 = any (polroles) as everybody, pg_get_expr(polqual, polrelid) as using, polwithcheck is not null as checks
from pg_policy join pg_class c on c.oid = polrelid join pg_namespace n on n.oid = c.relnamespace order by 2, 3
"""
_KEYS = """
select i.indexrelid::regclass::text
from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
where i.indisunique and n.nspname || '.' || c.relname = any ($1::text[]) and not exists (
  select from pg_attribute a
  where a.attrelid = c.oid and a.attname = 'organization_id' and a.attnum = any (i.indkey::int2[]))
"""
# Keys without the store that hold names of the whole installation, or numbers of our own.
_OF_THE_INSTALLATION = {
    "chatwoot_accounts_pkey",
    "chatwoot_accounts_slug_key",
    "chatwoot_accounts_website_token_key",
    "chatwoot_accounts_chatwoot_base_url_chatwoot_account_id_key",
    "chatwoot_conversations_pkey",
    "chatwoot_contacts_pkey",
    "wootstream.audit_log_pkey",
    "wootstream.refusals_pkey",
    "wootstream.dead_letters_pkey",
    "wootstream.dead_letters_id_key",
}


@dataclass(frozen=True)
class Actor:
    """A role with what a transaction says of whom it acts for."""

    role: str
    scope: tuple[uuid.UUID, ...] = (A,)
    person: str = ""  # a role in store A


_ACTORS = (
    *(Actor(role, scope) for role in (SERVICE, PRIVACY, INGRESS, OWNER) for scope in ((A,), (A, B), ())),
    *(Actor("authenticated", person=role) for role in (*EVERYONE, "")),
    Actor("anon", person="owner"),
)
_PEOPLE = {role: uuid.UUID(int=number) for number, role in enumerate(EVERYONE, 100)}


@pytest_asyncio.fixture(scope="module")
async def alone(migrated: str) -> AsyncIterator[str]:
    """The administrator's URL of a database that has no rows but these tests'."""
    async with copied_database(migrated) as url:
        yield url


@pytest.fixture
async def conn(alone: str) -> AsyncIterator[Any]:
    """The administrator within a transaction that is never kept."""
    connection = await asyncpg.connect(alone)
    await use_json(connection)
    transaction = connection.transaction()
    await transaction.start()
    await _fill(connection)
    yield connection
    await transaction.rollback()
    await connection.close()


async def _fill(conn: Any) -> None:
    """A row of every table for A and for B, and one of no store where there may be such."""
    await conn.execute(_TRY)
    users = [*_PEOPLE.values(), uuid.UUID(int=1), uuid.UUID(int=2)]
    await conn.execute("insert into auth.users (id) select unnest($1::uuid[])", users)
    await conn.execute("insert into public.organizations (id, name) select unnest($1::uuid[]), 'shop'", [A, B, NEW])
    for table, tenant in TENANTS.items():
        nobody = [None] if tenant.nobodys and table != _COUNTS else []
        stores: list[uuid.UUID | None] = [A, B, *nobody] if table != _COUNTS else []
        for store in stores:
            await conn.execute(await _insert(conn, table, store, 1))
    await conn.execute(await _insert(conn, "public.chatwoot_accounts", NEW, 1))
    for role, person in _PEOPLE.items():
        await conn.execute("insert into wootstream.members values ($1, $2, $3)", A, person, role)


async def _insert(conn: Any, table: str, store: uuid.UUID | None, number: int) -> str:
    row = {"organization_id": store} | dict(TENANTS[table].row(number))
    values = [await conn.fetchval("select quote_nullable($1::text)", _text(value)) for value in row.values()]
    return f"insert into {table} ({', '.join(row)}) values ({', '.join(values)})"  # noqa: S608


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return "{}" if value in ({}, []) else str(value)


async def _outcomes(conn: Any, table: str) -> dict[tuple[Actor, str], str]:
    """What every verb of every actor comes to: how many rows, or the SQLSTATE."""
    change = TENANTS[table].change
    statements = {
        "select": f"select from {table}",
        "insert": await _insert(conn, table, NEW, 2),
        "update": f"update {table} set {change} = {change}",  # noqa: S608
        "delete": f"delete from {table}",  # noqa: S608
    }
    tries = [(actor, verb) for actor in _ACTORS for verb in _VERBS]
    rows = await conn.fetch(
        _TRIED,
        [actor.role for actor, _ in tries],
        ["{" + ",".join(map(str, actor.scope)) + "}" for actor, _ in tries],
        [str(_PEOPLE.get(actor.person, "")) for actor, _ in tries],
        [statements[verb] for _, verb in tries],
    )
    return {one: row["outcome"] for one, row in zip(tries, rows, strict=True)}


def _expected(table: str, tenant: Tenant, extra: int) -> Iterator[tuple[tuple[Actor, str], str]]:
    for actor in _ACTORS:
        seen = _rows_seen(table, tenant, actor, extra)
        for verb in _VERBS:
            bound = actor.role == OWNER and verb not in tenant.owner  # it has every grant, and no policy for this
            if verb not in _granted(tenant, actor):
                yield (actor, verb), "42501"
            elif verb == "insert":
                yield (actor, verb), "1" if actor.role in tenant.everywhere and not bound else "42501"
            else:
                yield (actor, verb), "0" if bound else str(seen)


def _granted(tenant: Tenant, actor: Actor) -> set[str]:
    if actor.role == OWNER:
        return {"select", "insert", "update", "delete"}
    people = {"select"} if tenant.people else set()
    known = {SERVICE: tenant.service, PRIVACY: tenant.privacy, INGRESS: tenant.ingress, "authenticated": people}
    return known.get(actor.role, set())


def _rows_seen(table: str, tenant: Tenant, actor: Actor, extra: int) -> int:
    nobodys = 1 if tenant.nobodys else 0
    if actor.role in tenant.everywhere:
        return 2 + nobodys + extra
    if actor.role == "authenticated":
        return 1 + (extra if table == "wootstream.members" else 0) if actor.person in tenant.people else 0
    if actor.role in (SERVICE, PRIVACY):
        members_of_a = len(_PEOPLE) if table == "wootstream.members" and A in actor.scope else 0
        return len(actor.scope) + members_of_a + (nobodys if actor.role in tenant.nobodys else 0)
    return 0


def _whole(table: str) -> dict[tuple[Actor, str], str]:
    # The account that NEW's rows need, and the memberships of the people who look.
    extra = {"public.chatwoot_accounts": 1, "wootstream.members": len(_PEOPLE)}.get(table, 0)
    return dict(_expected(table, TENANTS[table], extra))


async def test_every_role_does_in_every_table_what_it_may_and_in_its_scope_alone(conn: Any) -> None:
    tenants = {row["full"] for row in await conn.fetch(_TENANT_TABLES) if not row["partition"]}
    assert tenants == set(TENANTS), "a new table with an organization says in tests/db/rows.py who may do what"
    for table in TENANTS:
        found, wanted = await _outcomes(conn, table), _whole(table)
        assert {one: found[one] for one in found if found[one] != wanted[one]} == {}, table


async def test_each_policy_is_missed_when_it_is_dropped_and_noticed_when_it_opens(conn: Any) -> None:
    policies = await conn.fetch(_POLICIES)
    assert len(policies) >= len(TENANTS)
    for row in policies:
        opened = f"alter policy {row['policy']} on {row['name']} using (true)" + (" with check (true)" * row["checks"])
        acts = [f"drop policy {row['policy']} on {row['name']}"] + ([opened] if row["using"] != "true" else [])
        for act in acts:
            savepoint = conn.transaction()
            await savepoint.start()
            await conn.execute(act)
            assert await _outcomes(conn, row["full"]) != _whole(row["full"]), act
            await savepoint.rollback()


async def test_row_security_is_forced_on_every_table_with_a_store_and_strangers_have_no_grant(
    conn: Any,
) -> None:
    tables = await conn.fetch(_TENANT_TABLES)
    assert len(tables) == len(TENANTS) + 5  # the partitions of widget events
    assert [row["name"] for row in tables if not row["forced"]] == []
    assert [row["name"] for row in await conn.fetch(_POLICIES) if row["everybody"]] == []
    assert await _names(conn, _GRANTED) == []
    assert set(await _names(conn, _KEYS, list(TENANTS))) == _OF_THE_INSTALLATION


async def _names(conn: Any, query: str, *arguments: object) -> list[str]:
    return [row[0] for row in await conn.fetch(query, *arguments)]


async def test_nobody_asks_a_partition_of_widget_events_directly(conn: Any) -> None:
    partitions = [row["name"] for row in await conn.fetch(_TENANT_TABLES) if row["partition"]]
    roles: Sequence[str] = (SERVICE, PRIVACY, INGRESS, "authenticated", "anon")
    count = len(roles)
    for name in partitions:
        statements = [f"select from {name}"] * count
        rows = await conn.fetch(_TRIED, list(roles), [f"{{{A}}}"] * count, [""] * count, statements)
        assert {row["outcome"] for row in rows} == {"42501"}, name


async def test_people_read_the_named_columns_of_their_store_alone(conn: Any) -> None:
    hidden = (
        "select api_access_token from public.chatwoot_accounts",
        "select webhook_secret from public.chatwoot_accounts",
        "select cached_attributes from public.chatwoot_contacts",
        "select ip_address from public.chatwoot_widget_events",
        "select profile_moments from wootstream.customers",
    )
    count, owner = len(hidden), str(_PEOPLE["owner"])
    rows = await conn.fetch(_TRIED, ["authenticated"] * count, [""] * count, [owner] * count, list(hidden))
    assert [row["outcome"] for row in rows] == ["42501"] * count


@pytest.mark.parametrize("power", ["superuser", "bypassrls", "owner of the tables", OWNER])
async def test_service_refuses_to_act_as_a_role_that_row_security_does_not_bind(power: str, alone: str) -> None:
    name = OWNER if power == OWNER else f"test_{uuid.uuid4().hex[:12]}"
    admin = await asyncpg.connect(alone)
    if power != OWNER:
        await admin.execute(f"create role {name} {power if ' ' not in power else 'nosuperuser'}")
    if " " in power:
        await admin.execute(f"grant create on schema public to {name}")
        await admin.execute(f"alter table public.chatwoot_accounts owner to {name}")
    pool = open_pool(alone, name)
    try:
        with pytest.raises(TooMuchPower):
            async with pool.acquire():
                pass
    finally:
        await pool.close()
        await admin.execute("alter table public.chatwoot_accounts owner to wootstream_owner")
        if power != OWNER:
            await admin.execute(f"drop owned by {name}; drop role {name}")
        await admin.close()
