"""Processes of an installation that tests start, freeze and kill."""

import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.kernel import Settings
from tests.programs.forked import ROOT, Program, start

_LOG_LINES_TOLD = 15


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """What a process of the installation is told; `more` by its names in the environment."""
    said = {
        "DATABASE_URL": settings.database_url.get_secret_value() if settings.database_url else "",
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers or "",
        "WOOTSTREAM_DATA_DIRECTORY": str(settings.data_directory),
        "WOOTSTREAM_SESSION_TIMEOUT_SECONDS": str(settings.session_timeout_seconds),
        "WOOTSTREAM_HTTP_PORT": str(settings.http_port),
        "WOOTSTREAM_WEBHOOK_SKEW_SECONDS": str(settings.webhook_skew_seconds),
    }
    return {**os.environ, **said, **more}


@dataclass
class Worker:
    """One of our programs: the same command line each time, its log in one file."""

    command: Sequence[str]  # a module and its arguments
    settings: Settings
    log: Path
    instance: str | None = None  # static membership
    more: Mapping[str, str] = field(default_factory=dict)  # by its names in the environment
    niceness: int = 0
    forked: bool = True  # False: it loads its modules itself, and has no more memory than is its own
    tree: Path = ROOT  # another release's sources, where it is not forked
    _process: Program | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it, unless it runs; it is not ready yet when this returns."""
        if self.is_running:
            return
        told = environment(self.settings, **self.more, **self._membership())
        self._process = await start(
            *self.command, env=told, log=self.log, niceness=self.niceness, forked=self.forked, tree=self.tree
        )

    async def kill(self) -> None:
        """SIGKILL. A process that had ended by itself before is a bug, and its log says which."""
        assert self._process is not None
        assert self._process.returncode is None, self.told()
        self._process.kill()
        await self._process.wait()

    async def ended(self) -> None:
        """Return when it has ended, of itself or not."""
        assert self._process is not None
        await self._process.wait()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
        return await self._process.wait()

    async def end(self) -> None:
        """SIGKILL, if it still runs."""
        if self.is_running:
            await self.kill()

    def told(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LOG_LINES_TOLD:])

    def _membership(self) -> dict[str, str]:
        return {"WOOTSTREAM_GROUP_INSTANCE": self.instance} if self.instance else {}


@asynccontextmanager
async def started(*workers: Worker) -> AsyncIterator[None]:
    """They run for the length of a `with`. Nobody is left at its end, frozen ones neither, whatever the test did."""
    try:
        for worker in workers:
            await worker.start()
        yield
    finally:
        for worker in workers:
            await worker.end()
