"""What a transaction asks of PostgreSQL beside its rows. Each holds until the transaction ends."""

from db.pool import Connection

_IDLE = "set local idle_in_transaction_session_timeout = '10min'"
# Of the transaction, not the session: behind a pooler a session is somebody else's next.
_ALONE = "select pg_try_advisory_xact_lock(hashtext($1))"


async def may_idle(conn: Connection) -> None:
    """For ten minutes, where a service's connection otherwise has thirty seconds."""
    await conn.execute(_IDLE)


async def alone(conn: Connection, name: str) -> bool:
    """Whether nobody else holds this name. Asking again costs nothing while it is ours."""
    return bool(await conn.fetchval(_ALONE, name))


async def check_at_once(conn: Connection) -> None:
    """Deferred constraints show at the statement and not at COMMIT."""
    await conn.execute("set constraints all immediate")


async def see_one_moment(conn: Connection) -> None:
    """All statements see the same snapshot. Before the first of them."""
    await conn.execute("set transaction isolation level repeatable read")
