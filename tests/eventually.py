"""Waiting in tests: for a claim to become true, with a deadline, never for a time to pass."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, overload

Result = TypeVar("Result")

PATIENCE_SECONDS = 120.0  # no claim: a machine that has much else to do may stand still for as long as that
_POLL_SECONDS = 0.02
# Some checks are a whole audit: asked again at once, they would take the processor from what they wait for.
_PAUSE_PER_CHECK, _LONGEST_PAUSE_SECONDS = 2.0, 0.5


@overload
async def eventually(check: Callable[[], Coroutine[Any, Any, Result]], seconds: float = PATIENCE_SECONDS) -> Result: ...
@overload
async def eventually(check: Callable[[], Result], seconds: float = PATIENCE_SECONDS) -> Result: ...
async def eventually(check: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Call `check` until it neither raises AssertionError nor answers False or None; return its answer.

    After `seconds` its last AssertionError is raised, so that the test says what was still missing.
    """
    deadline = time.monotonic() + seconds
    while True:
        missing: AssertionError | None = None
        began = time.monotonic()
        try:
            answer = check()
            result = await answer if isinstance(answer, Awaitable) else answer
            if result is not False and result is not None:
                return result
        except AssertionError as error:
            missing = error
        if (now := time.monotonic()) > deadline:
            raise missing or AssertionError(f"not within {seconds} s: {check}")
        await asyncio.sleep(max(_POLL_SECONDS, min(_PAUSE_PER_CHECK * (now - began), _LONGEST_PAUSE_SECONDS)))
