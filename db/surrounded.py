"""A connection each of whose statements runs within something: a span of a trace."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any

from db.pool import Connection, Row

Around = Callable[[str], AbstractContextManager[object] | None]  # the statement → what it runs within


class SurroundedConnection:
    """Passes everything on; what `around` answers None to runs as it is."""

    def __init__(self, connection: Connection, around: Around) -> None:
        self._connection = connection
        self._around = around

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:
        async with self._within(query):
            return await self._connection.execute(query, *args, timeout=timeout)

    async def fetch(self, query: str, *args: object, timeout: float | None = None) -> Sequence[Row]:
        async with self._within(query):
            return await self._connection.fetch(query, *args, timeout=timeout)

    async def fetchrow(self, query: str, *args: object, timeout: float | None = None) -> Row | None:
        async with self._within(query):
            return await self._connection.fetchrow(query, *args, timeout=timeout)

    async def fetchval(self, query: str, *args: object, timeout: float | None = None) -> Any:
        async with self._within(query):
            return await self._connection.fetchval(query, *args, timeout=timeout)

    async def copy_to_table(
        self, table_name: str, *, schema_name: str, source: bytearray, columns: Sequence[str], format: str
    ) -> str:
        async with self._within(f"copy {schema_name}.{table_name}"):
            return await self._connection.copy_to_table(
                table_name, schema_name=schema_name, source=source, columns=columns, format=format
            )

    def transaction(self) -> Any:
        return self._connection.transaction()

    @asynccontextmanager
    async def _within(self, query: str) -> AsyncIterator[None]:
        if (around := self._around(query)) is None:
            yield
            return
        with around:
            yield
