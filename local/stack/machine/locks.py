"""Advisory locks on files: they end with their holder, however it ends, so nothing is ever left locked."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from local.stack.errors import Unavailable

_POLL_SECONDS = 0.05


def try_lock(path: Path, *, shared: bool = False) -> int | None:
    """Lock the file and return its descriptor, or None while somebody else holds it.

    The lock belongs to the open file: a child that inherits the descriptor keeps the lock for its own life.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


async def lock(path: Path, *, seconds: float, otherwise: str, shared: bool = False) -> int:
    """Lock the file within so many seconds, else raise Unavailable with the sentence `otherwise`."""
    try:
        async with asyncio.timeout(seconds):
            while (descriptor := try_lock(path, shared=shared)) is None:
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as late:
        raise Unavailable(otherwise) from late
    return descriptor


@asynccontextmanager
async def locked(path: Path, *, seconds: float, otherwise: str) -> AsyncIterator[None]:
    """Hold the lock for the length of a `with`."""
    descriptor = await lock(path, seconds=seconds, otherwise=otherwise)
    try:
        yield
    finally:
        os.close(descriptor)
