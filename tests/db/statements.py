"""What the last release asks of the database, which still runs while the next one's migrations are applied.

`python -m tests.db.statements` writes it anew from this checkout, and is said where a release is made, never to let a
migration pass: what it takes away has to stay for one release more.
"""

import asyncio
import hashlib
import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import orjson

import db
from db.migrate import files, migrate
from db.pool import INGRESS, PEOPLE, PRIVACY, SERVICE
from local import stack
from services.kernel import Settings
from tests.databases import empty_database

OF_THE_LAST_RELEASE = Path(__file__).with_name("last_release.json")
_ROLES = (INGRESS, SERVICE, PRIVACY, PEOPLE)
_SQL = re.compile(r"\s*(select|insert|update|delete|with)\b")
# A row of before must go in: every column that has to be said, and every rule that a row may break.
_RULES = """
with ours as (
  select oid, oid::regclass::text as name from pg_class where relkind in ('r', 'p') and not relispartition
    and relnamespace in ('wootstream'::regnamespace, 'public'::regnamespace)
)
select o.name || ': ' || c.conname as rule from ours o join pg_constraint c on c.conrelid = o.oid
where c.contype in ('c', 'f', 'u', 'x')
union select o.name || ': ' || i.indexrelid::regclass from ours o join pg_index i on i.indrelid = o.oid
where i.indisunique
union select o.name || ': ' || a.attname || ' must be said' from ours o join pg_attribute a on a.attrelid = o.oid
where a.attnum > 0 and a.attnotnull and not (a.atthasdef or a.attidentity <> '')
order by 1
"""


def statements() -> Iterator[tuple[str, str]]:
    """Each SQL module's, by module and name; what is put together when it is asked has no text yet."""
    for found in pkgutil.walk_packages(db.__path__, "db."):
        if found.name == "db.migrate":  # the administrator's, and of the new release
            continue
        for name, text in vars(importlib.import_module(found.name)).items():
            if name.isupper() and isinstance(text, str) and _SQL.match(text) and "{" not in text:
                yield f"{found.name}.{name}", text


def digests() -> dict[str, str]:
    """Of each migration, without the one that runs each time."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files()[1:]}


async def asked(conn: Any, sql: str, role: str) -> str | None:
    """What PostgreSQL has against it: a table, a column, a function or a right that is not there. Nothing is done."""
    transaction = conn.transaction()
    await transaction.start()
    try:
        await conn.execute(f"set local role {role}")
        await conn.execute(f"explain (generic_plan) {sql}")
    except asyncpg.PostgresError as error:
        return str(error)
    finally:
        await transaction.rollback()
    return None


async def rules(conn: Any) -> list[str]:
    return [row["rule"] for row in await conn.fetch(_RULES)]


async def _now(conn: Any) -> dict[str, Any]:
    found = {}
    for name, sql in sorted(statements()):
        roles = [role for role in _ROLES if await asked(conn, sql, role) is None]
        if not roles:
            sys.exit(f"{name} is asked by nobody: {await asked(conn, sql, SERVICE)}")
        found[name] = {"roles": roles, "sql": sql}
    return {"migrations": digests(), "rules": await rules(conn), "statements": found}


async def _write() -> None:
    running = await stack.start(Settings().stack_directory)
    async with empty_database(running.database_url) as url:
        await migrate(url)
        conn = await asyncpg.connect(url)
        OF_THE_LAST_RELEASE.write_bytes(orjson.dumps(await _now(conn), option=orjson.OPT_INDENT_2) + b"\n")
        await conn.close()


if __name__ == "__main__":
    asyncio.run(_write())
