"""A program that runs once and ends: with a deadline, and never left behind when we are interrupted."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from local.stack.machine.os_account import OURS, OsAccount


async def run_tool(
    command: Sequence[str | Path], *, seconds: float, account: OsAccount = OURS, env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run it to its end and return exit code and output; raises TimeoutError after so many seconds."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, start_new_session=True, env=env, **account.as_popen(),
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            # Its whole group, for it may have children; it may have ended between the question and the signal.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode or 0, output.decode(errors="replace").strip()
