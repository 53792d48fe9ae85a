"""The servers of a session, asked for more than once: what the machine denies now it may grant the next time."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from local.stack import Stack, Unavailable
from tests.telling import tell

_STARTS = 3


async def begun(
    begin: Callable[[AsyncExitStack], Awaitable[Stack]], servers: AsyncExitStack, config: pytest.Config, *, worker: str
) -> Stack:
    """What `begin` makes, which leaves its servers with `servers`; ends the session where three starts fail."""
    for _ in range(_STARTS):
        try:
            return await begin(servers)
        except Unavailable as reason:
            await servers.aclose()
            said = f"{worker}: {reason}"
            tell(config, said)  # the exit of a worker reaches pytest-xdist as "keyboard-interrupt", without its reason
    pytest.exit(said, returncode=2)
