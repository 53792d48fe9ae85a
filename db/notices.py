"""What PostgreSQL tells by NOTIFY: to a session of one's own on the server itself, for a pooler's is another's soon."""

import asyncio
from collections.abc import Callable

from db.address import DatabaseAddress
from db.pooler import direct_connection

STORES = "wootstream_stores"  # something that the doors know of a store has changed: migration 0045
_ANSWER_SECONDS = 5.0
_ALIVE_SECONDS = 30.0  # between two proofs that the other end is there: a vanished one says nothing, too


class ListenerPooled(RuntimeError):
    """A pooler stands before the server: nobody can be listened to."""


async def listen(address: DatabaseAddress, role: str, channel: str, heard: Callable[[], None]) -> None:
    """Call `heard` at once, for what was told before, and at each notice. Ends by raising, when the connection is lost.

    Raises ListenerPooled before it calls anybody.
    """
    connection = await direct_connection(address, {"role": role, "application_name": "wootstream listener"})
    if connection is None:
        raise ListenerPooled
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _connection: lost.set())
    try:
        await connection.add_listener(channel, lambda *_notice: heard())
        heard()
        while not await _lost_within(lost, _ALIVE_SECONDS):
            await connection.fetchval("select 1", timeout=_ANSWER_SECONDS)
    finally:
        connection.terminate()
    raise ConnectionResetError("the connection on which PostgreSQL tells of changes is lost")


async def _lost_within(lost: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await lost.wait()
    except TimeoutError:
        return False
