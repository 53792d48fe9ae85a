"""Migrations work beside the release that runs: whatever the last one asks, it may still ask afterwards."""

from typing import Any

import orjson

from db.pool import Pool
from tests.db.statements import OF_THE_LAST_RELEASE, asked, digests, rules

_LAST: dict[str, Any] = orjson.loads(OF_THE_LAST_RELEASE.read_bytes())
# New on a table of before, and why every row keeps it that the last release writes.
_KEPT_BEFORE: dict[str, str] = {}


def test_no_migration_of_the_last_release_was_edited() -> None:
    """Databases that have it would refuse every later release."""
    now = digests()
    assert {name for name, digest in _LAST["migrations"].items() if now.get(name) != digest} == set()


async def test_what_the_last_release_asks_is_still_there_and_allowed(admin_pool: Pool) -> None:
    async with admin_pool.acquire() as conn:
        faults = {
            f"{name} as {role}": fault
            for name, one in _LAST["statements"].items()
            for role in one["roles"]
            if (fault := await asked(conn, one["sql"], role))
        }
    assert faults == {}


async def test_no_table_of_the_last_release_has_a_rule_that_its_rows_may_break(admin_pool: Pool) -> None:
    tables = {one.partition(":")[0] for one in _LAST["rules"]}
    async with admin_pool.acquire() as conn:
        new = {one for one in await rules(conn) if one.partition(":")[0] in tables} - {*_LAST["rules"]}
    assert new == {*_KEPT_BEFORE}
