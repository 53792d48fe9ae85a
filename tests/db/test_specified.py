"""The specification's SQL, statement by statement, against the migrated database.

What differs is in docs/deviations.md, by name, and nothing is there that does not differ.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from db.pool import Pool

_SPECIFIED = (Path(__file__).parent / "specified.sql").read_text()
_TOLD = (Path(__file__).parents[2] / "docs" / "deviations.md").read_text()
_COLUMN = re.compile(r"(\w+) (uuid|text|integer|numeric\(10,2\)|interval|timestamptz|jsonb|inet)(?!\w)(.*)")
_TYPES = {"timestamptz": "timestamp with time zone"}
_COLUMNS = """
select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as not_null,
  pg_get_expr(d.adbin, d.adrelid) as "default",
  (select array[confrelid::regclass::text, confdeltype::text] from pg_constraint
    where conrelid = a.attrelid and contype = 'f' and conkey = array[a.attnum]) as refers,
  array(select pg_get_constraintdef(oid) from pg_constraint
    where conrelid = a.attrelid and contype = 'c' and conkey = array[a.attnum]) as checks
from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped
"""
_INDEXES = """
select array(select pg_get_indexdef(indexrelid, n, true) from generate_series(1, indnkeyatts) n order by n) as columns,
  indisunique as "unique", pg_get_expr(indpred, indrelid) as predicate, pg_get_indexdef(indexrelid) as text
from pg_index where indrelid = $1::regclass
"""
_POLICIES = (
    "select policyname as name, cmd, roles, qual from pg_policies where schemaname = 'public' and tablename = $1"
)


@dataclass(frozen=True)
class Statement:
    """One of the specification's, by the name that docs/deviations.md calls it."""

    name: str
    table: str
    text: str


def _statements() -> list[Statement]:
    """In their order."""
    found = []
    for text in re.sub(r"--.*", "", _SPECIFIED).split(";"):
        words = " ".join(text.split())
        if made := re.match(r"CREATE TABLE public\.(\w+)", words):
            found.append(Statement(made[1], made[1], text))
        elif index := re.match(r"CREATE INDEX (\w+) ON (\w+)", words):
            found.append(Statement(index[1], index[2], words))
        elif secured := re.match(r"ALTER TABLE (\w+) ENABLE ROW LEVEL SECURITY", words):
            found.append(Statement(f"row security of {secured[1]}", secured[1], words))
        elif policy := re.match(r'CREATE POLICY "([^"]+)" ON (\w+)', words):
            found.append(Statement(policy[1], policy[2], words))
        else:
            assert not words, f"what is this: {words}"
    return found


STATEMENTS = _statements()


def _rows() -> dict[str, tuple[str, set[str]]]:
    """Of the page's table: statement → what it says of it, and the names that it says differ."""
    table = _TOLD.partition("## Tables, statement by statement")[2]
    rows = re.findall(r"^\| `([^`]+)` \| (as specified|mended|dropped)(.*?) \|", table, re.M)
    assert len(rows) == len({name for name, *_ in rows})
    return {name: (verdict, set(re.findall(r"`([^`]+)`", more))) for name, verdict, more in rows}


async def _differing(conn: Any, statement: Statement) -> set[str]:
    """What of a table is otherwise; of an index, a policy or a table's row security its own name."""
    if statement.name == statement.table:
        return await _columns(conn, statement) | await _keys(conn, statement)
    if statement.text.startswith("CREATE INDEX"):
        same = any(_plain(one["text"]) == _plain(statement.text) for one in await _indexes(conn, statement.table))
    elif statement.text.startswith("CREATE POLICY"):
        same = any(one["name"] == statement.name for one in await conn.fetch(_POLICIES, statement.table))
    else:
        same = await conn.fetchval("select relrowsecurity from pg_class where oid = $1::regclass", statement.table)
    return set() if same else {statement.name}


async def _columns(conn: Any, statement: Statement) -> set[str]:
    ours = {row["name"]: row for row in await conn.fetch(_COLUMNS, f"public.{statement.table}")}
    return {name for name, wanted in _wanted(statement).items() if name not in ours or _as_found(ours[name]) != wanted}


def _lines(statement: Statement) -> list[str]:
    return [line.strip().rstrip(",") for line in statement.text.splitlines()[2:] if line.strip(" )")]


def _wanted(statement: Statement) -> dict[str, tuple[object, ...]]:
    """Column → type, not null, default, what it refers to, what its check names."""
    found: dict[str, tuple[object, ...]] = {}
    for line in _lines(statement):
        if column := _COLUMN.fullmatch(line):
            name, kind, rest = column.groups()
            default = re.search(r"DEFAULT ('[^']*'|\w+\(\)|\d+)", rest)
            refers = re.search(r"REFERENCES ([\w.]+)\(id\)( ON DELETE (\w))?", rest)
            check = re.search(r"CHECK \((.*)\)", rest)
            deleting = {"C": "c", "S": "n", None: "a"}
            found[name] = (
                _TYPES.get(kind, kind), "NOT NULL" in rest or "PRIMARY KEY" in rest, default[1] if default else None,
                (refers[1], deleting[refers[3]]) if refers else None, _literals(check[1] if check else ""),
            )  # fmt: skip
    return found


def _as_found(row: Any) -> tuple[object, ...]:
    default = re.sub(r"::[\w ]+", "", row["default"]) if row["default"] else None
    return row["type"], row["not_null"], default, tuple(row["refers"] or ()) or None, _literals(" ".join(row["checks"]))


def _literals(check: str) -> frozenset[str]:
    return frozenset(one.strip("'") for one in re.findall(r"'[^']*'|\b\d+\b", check))


async def _keys(conn: Any, statement: Statement) -> set[str]:
    """Keys and indexes that the table itself was to bring."""
    ours = [
        ("unique" if one["unique"] else "index", ", ".join(one["columns"]), one["predicate"] or "")
        for one in await _indexes(conn, statement.table)
    ]
    found = set()
    for line in _lines(statement):
        inline = re.match(r"(\w+) \w+ (?:NOT NULL )?(PRIMARY KEY|UNIQUE)\b", line)
        alone = re.fullmatch(r"(UNIQUE|INDEX) ?\(([\w, ]+)\)(?: WHERE (.*))?", line)
        if inline:
            wanted = ("unique", inline[1], "")
        elif alone:
            wanted = (alone[1].lower(), alone[2], f"({alone[3]})" if alone[3] else "")
        else:
            continue
        if wanted not in ours:
            found.add(f"{wanted[0]} ({wanted[1]})")
    return found


async def _indexes(conn: Any, table: str) -> Any:
    return await conn.fetch(_INDEXES, f"public.{table}")


def _plain(text: str) -> str:
    """An index's definition without its name and without what is the same either way."""
    text = re.sub(r"public\.|USING btree|ONLY|::\w+|[()']", " ", text)
    return " ".join(re.sub(r"INDEX \w+", "INDEX", text).replace(",", " , ").split()).lower()


def test_every_statement_has_its_row() -> None:
    assert len(STATEMENTS) == 4 + 12 + 4 + 6
    assert list(_rows()) == [one.name for one in STATEMENTS]


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda one: one.name)
async def test_what_differs_from_a_statement_is_said_and_nothing_else(admin_pool: Pool, statement: Statement) -> None:
    verdict, named = _rows()[statement.name]
    async with admin_pool.acquire() as conn:
        differing = await _differing(conn, statement)
    assert (verdict == "as specified") == (not differing)
    if statement.name == statement.table:
        assert named == differing


async def test_people_read_as_the_roles_that_the_policies_name(admin_pool: Pool) -> None:
    """Whatever else was mended of them."""
    specified = {one.table: set(re.findall(r"'(\w+)'", one.text)) for one in STATEMENTS if "get_user_role" in one.text}
    async with admin_pool.acquire() as conn:
        ours = {
            table: {row["name"]: row for row in await conn.fetch(_POLICIES, table)}["people"] for table in specified
        }
    for table, roles in specified.items():
        assert (ours[table]["cmd"], list(ours[table]["roles"])) == ("SELECT", ["authenticated"])
        assert set(re.findall(r"'\{([\w,]+)\}'", ours[table]["qual"])[0].split(",")) == roles


async def test_a_column_that_is_otherwise_is_noticed(admin_pool: Pool) -> None:
    statement = STATEMENTS[2]
    async with admin_pool.acquire() as conn:
        transaction: Any = conn.transaction()
        await transaction.start()
        try:
            before = await _differing(conn, statement)
            await conn.execute("alter table public.chatwoot_conversations drop column resolution_time cascade")
            after = await _differing(conn, statement)
        finally:
            await transaction.rollback()
    assert after - before == {"resolution_time"}
