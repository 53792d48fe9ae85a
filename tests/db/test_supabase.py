"""A database that is somebody's already, like a Supabase project, migrated by a role that bypasses row security.

It is left as it was, and the host's memberships decide who sees what."""

import secrets
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from db import members
from db.migrate import migrate
from db.pool import SERVICE, TooMuchPower, open_pool, scoped
from local.stack import Stack
from tests.databases import empty_database
from tests.services.attached import attach

A, B = uuid.UUID(int=0xA), uuid.UUID(int=0xB)
_HOST = (Path(__file__).parent / "supabase.sql").read_text()
_OURS = ("wootstream_owner", "wootstream_ingress", "wootstream_service", "wootstream_privacy")
# Every object of the host's with its owner, its grants and what it says; and its rows.
_AS_IT_IS = """
select format('%s %s %s %s', c.oid::regclass, c.relowner::regrole, c.relacl, c.relrowsecurity) from pg_class c
where c.oid = any (array['auth.users', 'public.organizations', 'public.memberships']::regclass[])
union all select format('%s %s %s %s', p.oid::regprocedure, p.proowner::regrole, p.proacl, p.prosrc) from pg_proc p
where p.oid = any (array['auth.uid()', 'public.get_user_role_in_organization(uuid)']::regprocedure[])
union all select format('%s.%s %s', attrelid::regclass, attname, atttypid::regtype) from pg_attribute
where attnum > 0 and attrelid = any (array['auth.users', 'public.organizations', 'public.memberships']::regclass[])
union all select format('%s in auth', relname) from pg_class where relnamespace = 'auth'::regnamespace
union all select format('%s %s', nspowner::regrole, nspacl) from pg_namespace where nspname = 'auth'
union all select to_jsonb(u)::text from auth.users u
union all select to_jsonb(o)::text from public.organizations o
union all select to_jsonb(m)::text from public.memberships m
order by 1
"""


@pytest.fixture
async def host(stack: Stack) -> AsyncIterator[tuple[Any, str]]:
    """The platform's administrator, and the URL of the project's own, which owns `public` and bypasses row security."""
    async with empty_database(stack.database_url) as url:
        admin = await asyncpg.connect(url)
        name, password = f"postgres_{secrets.token_hex(6)}", secrets.token_hex(12)
        # Migrations of any database make the roles, which belong to the whole cluster; on a host they are its own work.
        async with empty_database(stack.database_url) as other:
            await migrate(other)
        await admin.execute(f"create role {name} login createrole bypassrls password '{password}'")
        await admin.execute(f"grant {', '.join((*_OURS, 'anon', 'authenticated'))} to {name} with admin option")
        database = urlsplit(url).path[1:]
        await admin.execute(f"alter schema public owner to {name}; grant create on database {database} to {name}")
        await admin.execute(
            f"set role {name}; alter default privileges in schema public grant all on tables to anon, authenticated"
        )
        await admin.execute("alter default privileges in schema public grant all on functions to anon, authenticated")
        await admin.execute("reset role")
        await admin.execute(_HOST)
        await admin.execute(f"grant usage on schema auth to {name}; grant select, references on auth.users to {name}")
        await admin.execute(f"alter table public.organizations owner to {name}")
        try:
            yield (
                admin,
                urlsplit(url)._replace(netloc=f"{name}:{password}@{urlsplit(url).netloc.rpartition('@')[2]}").geturl(),
            )
        finally:
            await admin.execute(f"reassign owned by {name} to current_user; drop owned by {name}; drop role {name}")
            await admin.close()


async def _names(conn: Any, query: str) -> list[str]:
    return [row[0] for row in await conn.fetch(query)]


async def _counted(conn: Any, role: str, person: int) -> int | str:
    transaction = conn.transaction()
    await transaction.start()
    try:
        await conn.execute("select set_config('request.jwt.claims', $1, true)", f'{{"sub": "{uuid.UUID(int=person)}"}}')
        await conn.execute(f"set local role {role}")
        return int(await conn.fetchval("select count(id) from public.chatwoot_accounts"))
    except asyncpg.PostgresError as refused:
        return str(refused.sqlstate)
    finally:
        await transaction.rollback()


async def test_a_host_is_left_as_it_was_and_its_memberships_decide(host: tuple[Any, str]) -> None:
    admin, url = host
    before = await _names(admin, _AS_IT_IS)

    first, second = await migrate(url), await migrate(url)

    assert (len(first) > 10, second) == (True, [])
    assert await _names(admin, _AS_IT_IS) == before
    assert await admin.fetchval("select to_regclass('wootstream.members')") is None
    pool = await asyncpg.create_pool(url, min_size=0)
    try:
        for store in (A, B):
            await attach(pool, organization_id=store, slug=f"shop-{store.int}", website_token=str(store))
    finally:
        await pool.close()
    # A manager of A; a customer of B, which is no role of the specification's; a stranger.
    assert [await _counted(admin, "authenticated", person) for person in (1, 2, 3)] == [1, 0, 0]
    assert await _counted(admin, "anon", 1) == "42501"


async def test_services_refuse_the_hosts_own_role_and_see_their_scope_as_theirs(host: tuple[Any, str]) -> None:
    _, url = host
    await migrate(url)
    own, service = open_pool(url, str(urlsplit(url).username)), open_pool(url, SERVICE)
    try:
        with pytest.raises(TooMuchPower):
            async with own.acquire():
                pass
        async with scoped(service, {A}) as conn:
            assert await conn.fetchval("select count(*) from public.chatwoot_accounts") == 0
    finally:
        await own.close()
        await service.close()


async def test_whom_no_store_has_any_more_the_host_keeps(host: tuple[Any, str]) -> None:
    """Its table of people is not ours to delete from; the verb says where they are removed."""
    admin, url = host
    await migrate(url)
    before, service = await _names(admin, _AS_IT_IS), open_pool(url, SERVICE)
    try:
        async with scoped(service, {A}) as conn:
            assert [await members.forget_user(conn, uuid.UUID(int=person)) for person in (1, 2, 3)] == [False] * 3
    finally:
        await service.close()
    assert await _names(admin, _AS_IT_IS) == before
