"""An installation of its own: its Kafka and its PostgreSQL may be killed and nobody else notices."""

import asyncio
import os
import secrets
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import asyncpg
from pydantic import SecretStr

from db.migrate import migrate
from db.pool import use_json
from local import stack
from local.stack import Stack
from local.stack.machine.locks import locked
from local.stack.machine.ports import is_free
from local.stack.servers import kafka, postgres
from services.kernel import Settings
from tests.eventually import eventually

Server = Literal["kafka", "postgres"]

_SERVERS = {"kafka": kafka.server, "postgres": postgres.server}
# Another session in this checkout may be at it.
_TURN_SECONDS = 3600.0
# The shorter, the sooner a dead consumer is missed.
SESSION_SECONDS = 3.0


@dataclass(frozen=True)
class Installation:
    """One stack and one migrated database in it."""

    directory: Path
    stack: Stack
    settings: Settings
    opened: Any = None  # the administrator's connection, where one is kept

    @asynccontextmanager
    async def kept(self) -> AsyncIterator["Installation"]:
        """The same with one connection of the administrator's: for who waits while nobody kills the server."""
        async with self.admin() as conn:
            yield replace(self, opened=conn)

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[Any]:
        """The administrator's connection, past row security. Opened anew each time: the server may have died since."""
        if self.opened is not None:
            yield self.opened
            return
        assert self.settings.database_url is not None
        conn = await asyncpg.connect(self.settings.database_url.get_secret_value(), timeout=10)
        try:
            await use_json(conn)
            yield conn
        finally:
            await conn.close()

    async def kill(self, server: Server) -> None:
        """SIGKILL, and its ports are free: the threads of a dead process hold them for a moment longer."""
        this = _SERVERS[server](self.directory)
        note = this.running()
        assert note is not None, f"{server} was not running"
        os.kill(note.pid, signal.SIGKILL)
        await eventually(lambda: not this.running() and all(map(is_free, note.ports)))

    async def revive(self) -> None:
        """Start what was killed; it comes back at the same address."""
        assert await stack.start(self.directory) == self.stack

    def with_database(self, url: str, place: Path) -> "Installation":
        """The same servers with this database, and a data directory that nobody has used."""
        place.mkdir()
        told = {"database_url": SecretStr(url), "data_directory": place}
        return replace(self, settings=self.settings.model_copy(update=told))

    async def another_database(self) -> "Installation":
        """The same servers with a copy of the database and a data directory that nobody has used."""
        ours, name = urlsplit(self.stack.database_url), f"chaos_{secrets.token_hex(6)}"
        system = await asyncpg.connect(ours._replace(path="/postgres").geturl(), timeout=10)
        try:
            await system.execute(f"create database {name} template {ours.path.removeprefix('/')}")
        finally:
            await system.close()
        url = ours._replace(path=f"/{name}").geturl()
        return self.with_database(url, self.settings.data_directory / name)


@asynccontextmanager
async def installed_alone(directory: Path) -> AsyncIterator[Installation]:
    """Both servers in this directory, for the length of a `with`; what an earlier run left there is forgotten."""
    directory.mkdir(parents=True, exist_ok=True)
    async with locked(directory.with_suffix(".lock"), seconds=_TURN_SECONDS, otherwise=f"{directory} is in use"):
        await stack.stop(directory / "stack")
        shutil.rmtree(directory)
        async with _servers(directory / "stack") as running:
            yield Installation(directory / "stack", running, _settings(directory, running))
        for data in filter(Path.is_dir, (directory / "stack").iterdir()):  # their logs stay to be read
            shutil.rmtree(data)


@asynccontextmanager
async def _servers(directory: Path) -> AsyncIterator[Stack]:
    running = await stack.start(directory)
    try:
        await migrate(running.database_url)
        yield running
    finally:
        await asyncio.shield(stack.stop(directory))


def _settings(directory: Path, running: Stack) -> Settings:
    return Settings.model_validate(
        {
            "kafka_bootstrap_servers": running.kafka,
            "database_url": running.database_url,
            "data_directory": directory,
            "session_timeout_seconds": SESSION_SECONDS,
            "http_port": 0,
        }
    )
