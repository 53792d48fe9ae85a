"""Free TCP ports on this machine, the same again where that is possible."""

import asyncio
import random
import socket

from local.stack.errors import Unavailable

HOST = "127.0.0.1"
# Below the ranges that Linux (32768) and macOS (49152) take outgoing connections from, so nobody gets one by chance.
_RANGE = range(20_000, 30_000)
_TRIES = 100
_KNOCK_SECONDS = 2.0  # on this machine an answer takes microseconds; this is for one that is overloaded


def free_ports(count: int, *, before: tuple[int, ...] = ()) -> tuple[int, ...]:
    """The ports used before if they are still free, so that clients find the server again; else others."""
    if len(before) == count and all(map(is_free, before)):
        return before
    found = [port for port in random.SystemRandom().sample(_RANGE, _TRIES) if is_free(port)]
    if len(found) < count:
        raise Unavailable(
            f"no free TCP port between {_RANGE.start} and {_RANGE.stop - 1} on {HOST}: close some programs"
        )
    return tuple(found[:count])


async def listens(port: int, host: str = HOST) -> bool:
    """Whether somebody takes connections there."""
    try:
        async with asyncio.timeout(_KNOCK_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # A port in TIME_WAIT after our own server's end is free for the next one, and servers bind like this.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
