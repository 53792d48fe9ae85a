"""Our programs in processes of their own, each forked from one that has all modules loaded.

The services and what they stand on are 1,200 modules, half a second of a processor for each process that loads them,
and a run of all tests starts forty. From there on it is a process like any other: its own pid, environment, log, death.
What a person starts is shown by tests that start it as a person does: the wheel's, the demo's, the deployment's.
"""

import asyncio
import multiprocessing
import os
import runpy
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping
from pathlib import Path

# One process for each worker of the tests, which ends with the last of those who know it.
_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(["tests.programs.preloaded", __name__])
ROOT = Path(__file__).parents[2]


class Forked:
    """What was forked, as asyncio's Process tells and ends it."""

    def __init__(self, process: multiprocessing.process.BaseProcess) -> None:
        self._process = process
        self._ended: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative, which signal killed it."""
        return self._process.exitcode

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    async def wait(self) -> int:
        """The exit code, once it has ended."""
        if self._ended is None:
            self._ended = asyncio.ensure_future(_readable(self._process.sentinel))
        await asyncio.shield(self._ended)  # several wait for the same end, and some give up
        code = self.returncode
        assert code is not None
        return code


Program = Process | Forked


async def start(
    module: str,
    *arguments: str,
    env: Mapping[str, str],
    log: Path,
    niceness: int = 0,
    forked: bool = True,
    tree: Path = ROOT,
) -> Program:
    """`python -m MODULE ARGUMENTS`, which goes on in `log`; it is not ready yet when this returns.

    Not `forked`, it loads its modules itself: for who measures its start or its memory; out of this checkout or, as
    another release, out of another `tree`.
    """
    log.touch()  # who waits for what it says finds it at once
    if forked:
        # A daemon is what multiprocessing ends at our own end; it would wait for others.
        child = _forking.Process(target=_run, args=(module, arguments, dict(env), str(log), niceness), daemon=True)
        # Not on the loop: the first of a worker waits until all modules are loaded.
        await asyncio.to_thread(child.start)
        return Forked(child)
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments, stdout=file, stderr=file, cwd=tree, env=env
        )
    if niceness:  # before it has threads, which inherit it
        os.setpriority(os.PRIO_PROCESS, process.pid, niceness)
    return process


async def _readable(descriptor: int) -> None:
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)


def _run(module: str, arguments: tuple[str, ...], environment: dict[str, str], log: str, niceness: int) -> None:
    """In the new process."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.clear()
    os.environ.update(environment)
    os.nice(niceness)
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)
