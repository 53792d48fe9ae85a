"""The embedded stack: real Kafka and real PostgreSQL from packages, one pair per directory.

lock    held while something starts or stops          users   shared by those who work with it right now
keep    made by `local start`: stays up without users
"""

import os
import shutil
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from local.stack.errors import Unavailable
from local.stack.machine.locks import lock, locked, try_lock
from local.stack.packages import jars
from local.stack.servers import kafka, pair, tls

_DATA = ("kafka", "kafka.new", "postgres", "postgres.new")
# A first start may have to fetch the jars.
_LOCK_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Stack:
    """Where Kafka and PostgreSQL are: "host:port", how it wants to be spoken to, and the administrator's URL."""

    kafka: str
    database_url: str
    security: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        """The same as settings of the services."""
        return {"kafka_bootstrap_servers": self.kafka, "database_url": self.database_url, **self.security}


@dataclass(frozen=True, slots=True)
class StackStatus:
    """What runs in a directory; None for what does not."""

    kafka: str | None
    database_url: str | None

    @property
    def running(self) -> bool:
        return self.kafka is not None and self.database_url is not None


def quiet(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


def status(directory: Path) -> StackStatus:
    directory = directory.absolute()
    now = pair.addresses(directory)
    return StackStatus(kafka=now[pair.KAFKA], database_url=now[pair.POSTGRES])


async def start(directory: Path, *, over_tls: bool = False, progress: jars.FetchProgress = quiet) -> Stack:
    """Start what does not run yet; it stays up until `stop`. Raises Unavailable."""
    directory = _made(directory)
    async with _alone(directory):
        if over_tls:
            tls.make(directory)
        found = await pair.start_missing(directory, pair.BOTH, progress=progress)
        (directory / "keep").touch()
    return Stack(found[pair.KAFKA], found[pair.POSTGRES], kafka.security(directory))


async def stop(directory: Path) -> bool:
    """Stop what runs; False if nothing did. Raises Unavailable while somebody works with it."""
    directory = directory.absolute()
    if not directory.exists():
        return False
    async with _alone(directory):
        (directory / "keep").unlink(missing_ok=True)
        return await pair.end(pair.BOTH, directory)


@asynccontextmanager
async def borrowed(
    directory: Path,
    *,
    parts: Collection[str] = pair.BOTH,
    fresh: bool = False,
    over_tls: bool = False,
    more: str = "",
    progress: jars.FetchProgress = quiet,
) -> AsyncIterator[dict[str, str]]:
    """The servers for the length of a `with`: the last to leave stops them, unless `start` wanted them to stay.

    `fresh` forgets earlier data, if nobody else works with it, and the last to leave forgets what came.
    `more` properties of Kafka's win over ours.
    """
    directory = _made(directory)
    async with _alone(directory):
        if fresh and not (directory / "keep").exists():
            await _end_unused(directory, forget=True)
        if over_tls:
            tls.make(directory)
        using = await lock(
            directory / "users", seconds=1, shared=True, otherwise=f"{directory} is being stopped; try again"
        )
        try:
            found = await pair.start_missing(directory, parts, progress=progress, more=more)
        # Also a cancelled start, else the directory would count as used until this process ends.
        except BaseException:
            os.close(using)
            raise
    try:
        yield found
    finally:
        os.close(using)
        async with _alone(directory):
            if not (directory / "keep").exists():
                await _end_unused(directory, forget=fresh)


async def _end_unused(directory: Path, *, forget: bool) -> None:
    if _unused(directory):
        await pair.end(pair.BOTH, directory)
        for name in _DATA if forget else ():
            shutil.rmtree(directory / name, ignore_errors=True)


def _unused(directory: Path) -> bool:
    if (held := try_lock(directory / "users")) is None:
        return False
    os.close(held)
    return True


def _alone(directory: Path) -> AbstractAsyncContextManager[None]:
    sentence = (
        f"another command has been starting or stopping the stack in {directory} for too long: end it, then try again"
    )
    return locked(directory / "lock", seconds=_LOCK_SECONDS, otherwise=sentence)


def _made(directory: Path) -> Path:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        raise Unavailable(
            f"{directory} cannot be made ({refused.strerror}): choose WOOTSTREAM_DATA_DIRECTORY"
        ) from refused
    return directory.absolute()
