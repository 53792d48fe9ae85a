"""A program that runs once: on the loop of the services as well, and gone when its time is over."""

import os
from pathlib import Path

import psutil
import pytest
import uvloop

from local.stack.errors import Unavailable
from local.stack.machine.os_account import unprivileged
from local.stack.machine.tool import run_tool


def test_it_runs_under_another_account_on_the_loop_of_the_services() -> None:
    code, output = uvloop.run(run_tool(["id", "-u"], seconds=20, account=unprivileged()))
    assert (code, output) == (0, str(unprivileged().uid if os.getuid() == 0 else os.getuid()))


async def test_what_takes_too_long_is_gone(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with pytest.raises(Unavailable, match=r"sh did not end within 1 s: .* again"):
        await run_tool(["sh", "-c", f"echo $$ > {note}; exec tail -f /dev/null"], seconds=1)
    assert not psutil.pid_exists(int(note.read_text()))
