"""What PostgreSQL does for each statement: a connection that has every one explained, as it runs, before it runs."""

from collections.abc import Iterator, Sequence
from typing import Any

from db.pool import Connection, Row

_MOST_READ_IN_VAIN = 1_000  # rows that a node reads and throws away
_EXPLAIN = "explain (analyze, format json) "


class _Undone(Exception):
    """What was explained is taken back."""


class ExplainedConnection:
    """A connection of a transaction; `wasteful` names what reads a whole table or a whole store for one row."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn
        self.wasteful: set[str] = set()
        self.statements = 0

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:
        await self._explain(query, args)
        return str(await self._conn.execute(query, *args))

    async def fetch(self, query: str, *args: object, timeout: float | None = None) -> Sequence[Row]:
        await self._explain(query, args)
        rows: Sequence[Row] = await self._conn.fetch(query, *args)
        return rows

    async def fetchrow(self, query: str, *args: object, timeout: float | None = None) -> Row | None:
        return next(iter(await self.fetch(query, *args)), None)

    async def fetchval(self, query: str, *args: object, timeout: float | None = None) -> Any:
        row = await self.fetchrow(query, *args)
        return None if row is None else next(iter(row.values()))

    async def copy_to_table(self, table_name: str, **given: Any) -> str:
        return str(await self._conn.copy_to_table(table_name, **given))

    def transaction(self) -> Any:
        return self._conn.transaction()

    async def _explain(self, query: str, args: tuple[object, ...]) -> None:
        """Explained in a savepoint that is undone: what it changes, it shall change once."""
        try:
            async with self._conn.transaction():
                plan: Any = await self._conn.fetchval(_EXPLAIN + query, *args)
                raise _Undone
        except _Undone:
            self.statements += 1
        words = " ".join(query.split())[:70]
        self.wasteful |= {f"{what}: {words}" for what in _wasteful(plan[0]["Plan"])}


def explained(conn: Connection) -> ExplainedConnection:
    return ExplainedConnection(conn)


def _wasteful(node: dict[str, Any]) -> Iterator[str]:
    read = node["Actual Rows"] * node["Actual Loops"]
    vain = node.get("Rows Removed by Filter", 0) * node["Actual Loops"]
    if vain > _MOST_READ_IN_VAIN or (node["Node Type"] == "Seq Scan" and read > _MOST_READ_IN_VAIN):
        yield f"{node['Node Type']} of {node.get('Relation Name')} reads {read + vain:,.0f} rows"
    for one in node.get("Plans", ()):
        yield from _wasteful(one)
