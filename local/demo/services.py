"""`wootstream run` in a process of its own, as in production: started, waited for, stopped as by SIGTERM."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from local.stack import Unavailable
from local.stack.machine.ports import HOST, free_ports

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.05
_COMMAND = (sys.executable, "-m", "services.cli", "run")


@dataclass(frozen=True, slots=True)
class Running:
    """Where the services answer, and their process."""

    address: str
    pid: int


@asynccontextmanager
async def running(environment: Mapping[str, str], log: Path, *names: str) -> AsyncIterator[Running]:
    """Services (none named: all) for the length of a `with`; what they say goes to `log`. Raises Unavailable."""
    (port,) = free_ports(1)
    address = f"http://{HOST}:{port}"
    ours = {"WOOTSTREAM_HTTP_PORT": str(port), "WOOTSTREAM_PUBLIC_URL": address}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as log_file:
        # A session of its own: Ctrl-C at the terminal is ours to hear, the services are stopped when all is drained.
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, *names, env={**os.environ, **environment, **ours}, stdin=asyncio.subprocess.DEVNULL,
            stdout=log_file, stderr=log_file, start_new_session=True,
        )  # fmt: skip
    try:
        await _ready(process, address, log)
        yield Running(address, process.pid)
    finally:
        await _stop(process)


async def _ready(process: asyncio.subprocess.Process, address: str, log: Path) -> None:
    async with httpx.AsyncClient(base_url=address, timeout=2) as client:
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                while process.returncode is None:
                    # Not listening yet: asked again until the deadline.
                    with suppress(httpx.TransportError):
                        if (await client.get("/ready")).status_code == httpx.codes.OK:
                            return
                    await asyncio.sleep(_POLL_SECONDS)
    how = "are not ready" if process.returncode is None else f"ended with code {process.returncode}"
    raise Unavailable(f"the services {how}: {_last_line(log)} (all of it: {log})")


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        # Whoever ignores SIGTERM for that long hangs, and would outlive the demo.
        process.kill()
        await process.wait()


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "they said nothing"
