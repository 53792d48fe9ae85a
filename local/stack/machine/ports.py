"""Free TCP ports on this machine, the same again where that is possible.

Between the choice of a port and the moment when a server has started and holds it lie seconds, in which nobody else of
this user's may choose it: each choice is claimed by a lock on a byte of one file, the port's number, until the process
that chose it ends. Locks of this kind belong to the process: children do not inherit them.
"""

import asyncio
import fcntl
import functools
import os
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
    found: list[int] = []
    for port in random.SystemRandom().sample(_RANGE, _TRIES):
        if len(found) == count:
            break
        if is_free(port) and _claim(port):
            found.append(port)
    if len(found) < count:
        raise Unavailable(
            f"no free TCP port between {_RANGE.start} and {_RANGE.stop - 1} on {HOST}: close some programs"
        )
    return tuple(found)


_claimed: set[int] = set()  # of this process, which its own locks do not keep out


def _claim(port: int) -> bool:
    """Whether it is ours alone from now on."""
    if port in _claimed:
        return False
    try:
        fcntl.lockf(_claims(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except (BlockingIOError, PermissionError):  # systems have the one or the other for what somebody else holds
        return False
    except OSError:  # a file system without locks: chance has to do
        return True
    _claimed.add(port)
    return True


@functools.cache
def _claims() -> int:
    """The file, open as long as we live: closed once, it would give back all that this process has claimed."""
    import platformdirs

    place = platformdirs.user_cache_path("wootstream", ensure_exists=True) / "ports"
    return os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


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
