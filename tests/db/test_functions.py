"""Every function of ours with who may call it. A new one is named here first."""

from typing import Any

import pytest

from db.pool import Pool

_SERVICE, _PRIVACY, _INGRESS = "wootstream_service", "wootstream_privacy", "wootstream_ingress"
_MAY_EXECUTE = {
    "scope()": {_SERVICE, _PRIVACY, _INGRESS},
    "my_organizations(text[])": {"authenticated"},
    "protect(regclass,text[])": set(),
    "stores()": {_SERVICE, _PRIVACY},
    "ensure_widget_partitions(timestamp with time zone)": {_SERVICE, _PRIVACY},
    "page_group(text)": {_SERVICE, _PRIVACY},
    "device_class(text)": {_SERVICE, _PRIVACY},
    "load_step(integer)": {_SERVICE, _PRIVACY},
    "widget_rows_since()": {_SERVICE, _PRIVACY},
    "detach_widget_month(timestamp with time zone)": {_PRIVACY},
    "drop_widget_month(timestamp with time zone)": {_PRIVACY},
    "hold_ledger()": {_PRIVACY},
    "retained_since(text)": {_SERVICE, _PRIVACY},
    "trim_audit_log(uuid,timestamp with time zone,integer)": {_PRIVACY},
    "forget_letter_counts()": {_PRIVACY},
    "consents_of(uuid[])": {_SERVICE, _PRIVACY},
    "known_users(uuid[])": {_SERVICE},
    "users(uuid[],text[])": {_SERVICE},
    "forget_user(uuid)": {_SERVICE},
    "dead_letter_stores()": {_SERVICE},
    "contact_of_customer(uuid,text,text,text)": {_SERVICE, _PRIVACY},
    "customer_of_contact(uuid,text,text,text)": {_SERVICE, _PRIVACY},
    "contact_for(uuid,text,text,text)": {_SERVICE, _PRIVACY},
    "customer_for(uuid,text,text,text)": {_SERVICE, _PRIVACY},
    "count_dead_letters_in()": set(),
    "count_dead_letters_out()": set(),
    "tell_of_stores()": set(),
}
_FUNCTIONS = """
select p.oid::regprocedure::text as name,
  array(select role from unnest($1::text[]) as role where has_function_privilege(role, p.oid, 'execute')) as may
from pg_proc p where p.pronamespace = 'wootstream'::regnamespace
"""
_DEFINERS = """
select p.oid::regprocedure::text as name, p.proconfig from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where p.prosecdef and n.nspname in ('wootstream', 'public', 'auth')
"""
_ROLES = ["public", "anon", "authenticated", _SERVICE, _PRIVACY, _INGRESS]


async def test_every_function_is_executed_by_those_who_need_it_and_nobody_else(admin_pool: Pool) -> None:
    async with admin_pool.acquire() as conn:
        rows = await conn.fetch(_FUNCTIONS, _ROLES)
    assert {row["name"].removeprefix("wootstream."): set(row["may"]) for row in rows} == _MAY_EXECUTE


async def test_whoever_acts_as_its_owner_looks_names_up_in_no_schema_that_others_write(admin_pool: Pool) -> None:
    async with admin_pool.acquire() as conn:
        rows = await conn.fetch(_DEFINERS)
    assert rows
    assert [row["name"] for row in rows if "search_path=pg_catalog, pg_temp" not in (row["proconfig"] or ())] == []


@pytest.mark.parametrize("role", ["authenticated", _INGRESS])
async def test_a_function_that_a_later_migration_makes_is_nobodys_at_first(role: str, admin_pool: Pool) -> None:
    async with admin_pool.acquire() as conn:
        transaction: Any = conn.transaction()
        await transaction.start()
        try:
            await conn.execute("set local role wootstream_owner")
            await conn.execute("create function wootstream.later() returns int language sql as 'select 1'")
            may = await conn.fetchval("select has_function_privilege($1, 'wootstream.later()', 'execute')", role)
        finally:
            await transaction.rollback()
    assert may is False
