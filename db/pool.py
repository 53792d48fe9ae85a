"""Connections: one pool per role, lazily connected, with JSON as Python objects and row security in mind."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from types import SimpleNamespace, TracebackType
from typing import Any, ClassVar, Protocol, Self
from uuid import UUID

import asyncpg
import orjson

from db.address import read
from db.pooler import CONNECT_SECONDS, PooledConnection, direct_connection, pooled_options
from db.pooler import Row as Row

INGRESS = "wootstream_ingress"
SERVICE = "wootstream_service"
PRIVACY = "wootstream_privacy"
PEOPLE = "authenticated"

# A service that hangs must not hold locks, and a dead peer must be noticed.
_TRANSACTION_SETTINGS = {
    "idle_in_transaction_session_timeout": "30s",
    "lock_timeout": "5s",
    "statement_timeout": "60s",
    "jit": "off",
}
_SERVER_SETTINGS = {**_TRANSACTION_SETTINGS, "application_name": "wootstream", "tcp_keepalives_idle": "30"}
_COMMAND_SECONDS = 60
_MOST_USES = 16  # of a kept connection
# Supabase's own functions read either, by their age.
_PERSON = "select set_config('request.jwt.claim.sub', $1, true), set_config('request.jwt.claims', $2, true)"
_SCOPE = "select set_config('wootstream.organizations', $1, true)"
_IS_PRIVILEGED = """
select rolsuper or rolbypassrls or rolname = 'wootstream_owner'
  or exists (select from pg_class where oid = to_regclass('public.chatwoot_accounts') and relowner = pg_roles.oid)
from pg_roles where rolname = current_user
"""
# Oids below it are written in PostgreSQL's sources and the same on every server (access/transam.h: FirstGenbkiObjectId).
_FIRST_OID_OF_ITS_OWN = 10_000
# For a statement: it took no other's place, as an anonymous one would.
_NOTHING_ASKED = SimpleNamespace(name="known")


class Connection(Protocol):
    """What the SQL modules use of asyncpg's connection (asyncpg ships no types)."""

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str: ...
    async def fetch(self, query: str, *args: object, timeout: float | None = None) -> Sequence[Row]: ...
    async def fetchrow(self, query: str, *args: object, timeout: float | None = None) -> Row | None: ...
    async def fetchval(self, query: str, *args: object, timeout: float | None = None) -> Any: ...
    async def copy_to_table(
        self, table_name: str, *, schema_name: str, source: bytearray, columns: Sequence[str], format: str
    ) -> str: ...
    def transaction(self) -> AbstractAsyncContextManager[object]: ...


class Connections(Protocol):
    """Where a connection is had from."""

    def acquire(self, *, timeout: float | None = None) -> AbstractAsyncContextManager[Connection]: ...


class DriverConnection(asyncpg.Connection):  # type: ignore[misc]
    """asyncpg's, that asks the server about PostgreSQL's own types once a process.

    asyncpg knows no array of them but text[] and oid[]. Each connection asks for the others when it meets them, by a
    recursive query that takes the server longer than all else a new connection does.
    """

    _known: ClassVar[dict[frozenset[int], Any]] = {}  # as many as our statements have combinations of such types

    async def _introspect_types(self, typeoids: Iterable[int], timeout: float | None) -> tuple[Any, Any]:
        asked = frozenset(typeoids)
        if asked not in self._known:
            answer: tuple[Any, Any] = await super()._introspect_types(typeoids, timeout)
            if max(asked) < _FIRST_OID_OF_ITS_OWN:
                self._known[asked] = answer[0]
            return answer
        return self._known[asked], _NOTHING_ASKED


class Pool:
    """Connections of one role, opened on first use, so that a process also starts while PostgreSQL is away."""

    def __init__(self, database_url: str, role: str, size: int, observe: Callable[[Connection], Connection]) -> None:
        self._address = read(database_url)
        self._role = role
        self._size = size
        self.pooled = False  # whether a pooler answers there; known once a connection was had
        self._observe = observe
        self._pool: Any = None
        self._first: Any = None  # that told whether a pooler answers: also the first one to be used
        self._wrap: Callable[[Any], Connection] = _as_it_is
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def acquire(self, *, timeout: float | None = None) -> AsyncIterator[Connection]:
        """A connection; raises TimeoutError when none is to be had for `timeout` seconds."""
        if self._pool is None:
            async with asyncio.timeout(timeout), self._opening:
                await self._open()
        try:
            async with self._pool.acquire(timeout=timeout) as connection:
                yield self._observe(self._wrap(connection))
        except asyncpg.InternalClientError as lost:
            # What the driver says of some connections that PostgreSQL ended in the middle of a statement.
            raise asyncpg.ConnectionDoesNotExistError("the connection is lost") from lost

    async def _open(self) -> None:
        if self._pool is None:
            settings = {**_SERVER_SETTINGS, "role": self._role}
            self._first = await direct_connection(
                self._address, settings, command_timeout=_COMMAND_SECONDS, connection_class=DriverConnection
            )
            self.pooled = self._first is None
            options = {"server_settings": {**self._address.server_settings, **settings}}
            if self.pooled:
                options = pooled_options()
                self._wrap = partial(PooledConnection, settings={**_TRANSACTION_SETTINGS, "role": self._role})
            self._pool = await asyncpg.create_pool(
                **self._address.arguments(),
                min_size=0,  # a process starts while PostgreSQL is away
                max_size=self._size,
                timeout=CONNECT_SECONDS,
                command_timeout=_COMMAND_SECONDS,
                max_inactive_connection_lifetime=300,
                connect=self._connect,
                connection_class=DriverConnection,
                init=self._prepare,
                reset=_leave_it,
                **options,
            )

    async def _connect(self, *args: Any, **options: Any) -> Any:
        first, self._first = self._first, None
        if first is not None and not first.is_closed():
            return first
        return await asyncpg.connect(*args, **options)

    async def _prepare(self, connection: Any) -> None:
        wrapped = self._wrap(connection)
        # A role past row security would see every store, and no test or query would show it.
        if await wrapped.fetchval(_IS_PRIVILEGED):
            raise TooMuchPower(
                "the database role in effect bypasses row security; use wootstream_service or one like it"
            )
        await use_json(connection)

    async def close(self) -> None:
        """Wait for what is in use, then close."""
        self._forget_first()
        if self._pool is not None:
            await self._pool.close()

    def terminate(self) -> None:
        self._forget_first()
        if self._pool is not None:
            self._pool.terminate()

    def _forget_first(self) -> None:
        first, self._first = self._first, None
        if first is not None:
            first.terminate()


class KeptConnection:
    """One connection of a pool for what is done one after the other, by one at a time: `async with it.acquire() …`.

    Taking it anew each time costs two tasks. Whoever uses it and fails gives it back, so that nobody goes on with what
    may be broken. So does whoever has used it for a while: the others that wait for one have their turn.
    """

    def __init__(self, pool: Callable[[], Pool]) -> None:
        self._pool = pool
        self._taken: AbstractAsyncContextManager[Connection] | None = None
        self._connection: Connection
        self._timeout: float | None = None
        self._uses = 0

    def acquire(self, *, timeout: float | None = None) -> Self:
        """As the pool's."""
        self._timeout = timeout
        return self

    async def __aenter__(self) -> Connection:
        if self._taken is None:
            taking = self._pool().acquire(timeout=self._timeout)
            self._connection, self._taken, self._uses = await taking.__aenter__(), taking, 0
        self._uses += 1
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None or self._uses >= _MOST_USES:
            await self._end(kind, error, traceback)

    async def give_back(self) -> None:
        """Before something else is waited for, which may take one, too."""
        await self._end(None, None, None)

    async def _end(self, *failure: Any) -> None:
        taken, self._taken = self._taken, None
        if taken is not None:
            await taken.__aexit__(*failure)


async def _leave_it(_connection: Any) -> None:
    """Nothing of ours stays behind a transaction, and the driver itself rolls back an open one.

    Resetting the rest as well would cost each use of a connection a round trip, and behind a pooler somebody else's session.
    """


def _as_it_is(connection: Any) -> Connection:
    wrapped: Connection = connection
    return wrapped


class TooMuchPower(RuntimeError):
    """The role in effect bypasses row security: a service refuses to run as such."""


def open_pool(
    database_url: str, role: str, *, size: int = 4, observe: Callable[[Connection], Connection] = _as_it_is
) -> Pool:
    """A pool whose connections act as `role`: the administrator's login takes it at connect, and row security applies.

    `observe` may put something around each connection that is handed out.
    """
    return Pool(database_url, role, size, observe)


async def use_json(connection: Any) -> None:
    """Pass json and jsonb parameters and columns as Python objects."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, encoder=_encode, decoder=orjson.loads, schema="pg_catalog")


def _encode(value: object) -> str:
    return orjson.dumps(value).decode()


async def set_scope(conn: Connection, organizations: Collection[UUID]) -> None:
    """Let row security show exactly these stores until the transaction ends."""
    await conn.execute(_SCOPE, scope_of(organizations))


def scope_of(organizations: Iterable[UUID]) -> str:
    """The value of `wootstream.organizations` that shows exactly these stores."""
    return "{" + ",".join(str(one) for one in sorted(organizations)) + "}"


@asynccontextmanager
async def scoped(pool: Pool, organizations: Collection[UUID]) -> AsyncIterator[Connection]:
    """One transaction with these stores in scope."""
    async with pool.acquire(timeout=10) as conn, conn.transaction():
        await set_scope(conn, organizations)
        yield conn


@asynccontextmanager
async def scoped_as_person(pool: Pool, person: UUID) -> AsyncIterator[Connection]:
    """One transaction of a pool of role PEOPLE in which row security shows what this person's memberships allow."""
    async with pool.acquire(timeout=10) as conn, conn.transaction():
        await conn.execute(_PERSON, str(person), _encode({"sub": str(person), "role": PEOPLE}))
        yield conn
