"""Behind a pooler in transaction mode, such as PgBouncer: every statement within a transaction, nothing in a session.

A server's connection is ours for a transaction and then somebody else's: what we would set once for a connection is set
at the beginning of each transaction, and no statement is prepared for later. That costs a round trip or two a
transaction, so whoever has the server itself goes on as before.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg

from db.address import DatabaseAddress

Row = Mapping[str, Any]

CONNECT_SECONDS = 5.0


class NoRole(asyncpg.InvalidParameterValueError):  # type: ignore[misc]
    """The server does not know the role. A server's roles come with the first migration, not with a restored database."""


@contextmanager
def _role_named(settings: Mapping[str, str]) -> Iterator[None]:
    """Raises NoRole where PostgreSQL says in its own words that there is no such role."""
    try:
        yield
    except asyncpg.InvalidParameterValueError as unknown:
        if (role := settings.get("role")) is None or role not in str(unknown):  # but something else that is set
            raise
        raise NoRole(f"PostgreSQL has no role {role}") from unknown


async def direct_connection(address: DatabaseAddress, settings: Mapping[str, str], **options: Any) -> Any | None:
    """A connection to the server itself, with these settings of its session; None where a pooler answers.

    `options` are asyncpg's. Raises NoRole.
    """
    if address.pooled:
        return None
    with _role_named(settings):
        return await _connected(address, settings, options)


async def _connected(address: DatabaseAddress, settings: Mapping[str, str], options: Mapping[str, Any]) -> Any | None:
    # Nothing is set yet, and nothing prepared: a pooler may refuse either.
    connection = await asyncpg.connect(**address.arguments(), timeout=CONNECT_SECONDS, **options)
    try:
        if await _is_pooled(connection):
            connection.terminate()
            return None
        if not address.server_settings:
            await connection.execute(_all_set("set", settings), timeout=CONNECT_SECONDS)
            return connection
    except BaseException:
        connection.terminate()
        raise
    connection.terminate()
    # What the address itself says to the server goes with a connection's start alone.
    told = {**address.server_settings, **settings}
    return await asyncpg.connect(**address.arguments(), timeout=CONNECT_SECONDS, server_settings=told, **options)


async def _is_pooled(connection: Any) -> bool:
    """A pooler gives its own number for that of the server's process."""
    # What is executed without parameters is not prepared; it answers how many rows there are.
    query = f"select where pg_backend_pid() <> {connection.get_server_pid()}"
    return bool(await connection.execute(query, timeout=CONNECT_SECONDS) == "SELECT 1")


def _all_set(how: str, settings: Mapping[str, str]) -> str:
    return "; ".join(f"{how} {name} = '{value}'" for name, value in settings.items())


def pooled_options() -> dict[str, Any]:
    """The options that asyncpg's pool needs before a pooler."""
    return {"statement_cache_size": 0, "server_settings": {"application_name": "wootstream"}}


class PooledConnection:
    """A connection whose every statement runs in a transaction that begins with `settings`."""

    def __init__(self, connection: Any, settings: Mapping[str, str]) -> None:
        self._connection = connection
        self._settings = settings
        self._begin = _all_set("set local", settings)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """As asyncpg's: the outer one begins it, one within is a savepoint."""
        within = self._connection.is_in_transaction()
        async with self._connection.transaction():
            if not within:
                with _role_named(self._settings):
                    await self._connection.execute(self._begin)
            yield

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:
        async with self._together():
            return str(await self._connection.execute(query, *args, timeout=timeout))

    async def fetch(self, query: str, *args: object, timeout: float | None = None) -> Sequence[Row]:
        async with self._together():
            rows: Sequence[Row] = await self._connection.fetch(query, *args, timeout=timeout)
            return rows

    async def fetchrow(self, query: str, *args: object, timeout: float | None = None) -> Row | None:
        async with self._together():
            row: Row | None = await self._connection.fetchrow(query, *args, timeout=timeout)
            return row

    async def fetchval(self, query: str, *args: object, timeout: float | None = None) -> Any:
        async with self._together():
            return await self._connection.fetchval(query, *args, timeout=timeout)

    async def copy_to_table(
        self, table_name: str, *, schema_name: str, source: bytearray, columns: Sequence[str], format: str
    ) -> str:
        async with self._together():
            return str(
                await self._connection.copy_to_table(
                    table_name, schema_name=schema_name, source=source, columns=columns, format=format
                )
            )

    @asynccontextmanager
    async def _together(self) -> AsyncIterator[None]:
        """In the transaction that is open, or in one of its own."""
        if self._connection.is_in_transaction():
            yield
        else:
            async with self.transaction():
                yield
