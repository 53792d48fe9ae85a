"""The servers of a session, asked for more than once: what the machine denies now it may grant the next time."""

import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from local.stack import Stack, Unavailable

_STARTS = 3


async def begun(begin: Callable[[AsyncExitStack], Awaitable[Stack]], servers: AsyncExitStack, *, worker: str) -> Stack:
    """What `begin` makes, which leaves its servers with `servers`; ends the session where three starts fail."""
    for _ in range(_STARTS):
        try:
            return await begin(servers)
        except Unavailable as reason:
            await servers.aclose()
            said = f"{worker}: {reason}"
            # The exit of a worker reaches pytest-xdist as "keyboard-interrupt", without its reason.
            print(f"\n{said}", file=sys.__stderr__, flush=True)
    pytest.exit(said, returncode=2)
