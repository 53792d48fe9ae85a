"""A program that runs once and ends: with a deadline, and never left behind when we are interrupted."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from local.stack.errors import Unavailable
from local.stack.machine.os_account import OURS, OsAccount


async def run_tool(
    command: Sequence[str | Path], *, seconds: float, account: OsAccount = OURS, env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run it to its end and return exit code and output; raises Unavailable after so many seconds."""
    # By a thread of ours, and not the loop: uvloop, on which benchmarks run, starts nothing as another account.
    process = _begun(command, account, env)
    try:
        async with asyncio.timeout(seconds):
            output, _ = await asyncio.to_thread(process.communicate)
    except TimeoutError as late:
        raise Unavailable(
            f"{Path(command[0]).name} did not end within {seconds:.0f} s: is the machine busy? Run the command again"
        ) from late
    finally:
        if process.poll() is None:
            # Its whole group, for it may have children; it may have ended between the question and the signal.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return process.returncode or 0, output.decode(errors="replace").strip()


def _begun(
    command: Sequence[str | Path], account: OsAccount, env: Mapping[str, str] | None
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True, env=env, **account.as_popen(),
    )  # fmt: skip
