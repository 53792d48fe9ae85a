"""Opening and closing with a stop in mind: nothing stays open behind it, and no dead server holds it up.

A dead server's client waits for its request time-out, which may be 40 s.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import structlog

_UNCUT_SECONDS = 5.0
log = structlog.get_logger()


async def closed_within(seconds: float, what: str, closing: Awaitable[Any]) -> bool:
    """Close it, or say that it was cut short; a fault in it is told, never raised, for others are still open."""
    try:
        await asyncio.wait_for(closing, seconds)
    except Exception as error:
        log.warning("closing_was_cut_short", what=what, error=type(error).__name__)
        return False
    return True


async def opened(opening: Awaitable[Any], close: Callable[[], Awaitable[Any]]) -> None:
    """Open it; what has failed or was cancelled is closed again.

    A cancelled opening first comes to its end, for 5 s at the most: aiokafka 0.14 loses sight of a connection that is
    cut off while it asks for the cluster through it for the first time, and nobody can close that one any more.
    """
    try:
        await _uncut(opening)
    except BaseException:
        await close()
        raise


async def _uncut(opening: Awaitable[Any]) -> None:
    task = asyncio.ensure_future(opening)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        with suppress(Exception):  # whoever cancelled us wants no answer, not even a fault
            await asyncio.wait_for(task, _UNCUT_SECONDS)
        raise
