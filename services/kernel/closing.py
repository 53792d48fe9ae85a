"""Closing what is open, in bounded time: a dead server's client waits for its request time-out, which may be 40 s."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import structlog

log = structlog.get_logger()


async def closed_within(seconds: float, what: str, closing: Awaitable[Any]) -> bool:
    """Close it, or say that it was cut short; a fault in it is told, never raised, for others are still open."""
    try:
        await asyncio.wait_for(closing, seconds)
    except Exception as error:
        log.warning("closing_was_cut_short", what=what, error=type(error).__name__)
        return False
    return True
