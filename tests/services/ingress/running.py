"""`wootstream run ingress`, or other services, in a process of its own."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from services.kernel import Settings
from tests.eventually import eventually
from tests.programs.forked import start


@dataclass(frozen=True)
class Running:
    """The process, where it listens, and where it writes its log."""

    pid: int
    address: str
    log: Path


def running(settings: Settings, folder: Path, *names: str, **more: str) -> AbstractAsyncContextManager[Running]:
    """The process, with its data in `folder` and `more` in its environment; stopped by SIGTERM."""
    return _running(settings, folder, names or ("ingress",), more, forked=True)


def loading(settings: Settings, folder: Path, *names: str, **more: str) -> AbstractAsyncContextManager[Running]:
    """The same, which loads its modules itself: for who measures its start."""
    return _running(settings, folder, names or ("ingress",), more, forked=False)


@asynccontextmanager
async def _running(
    settings: Settings, folder: Path, names: Sequence[str], more: dict[str, str], *, forked: bool
) -> AsyncIterator[Running]:
    assert settings.database_url
    environment = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "KAFKA_BOOTSTRAP_SERVERS": str(settings.kafka_bootstrap_servers),
        "WOOTSTREAM_DATA_DIRECTORY": str(folder),
        "WOOTSTREAM_INSTALLATION_KEY_FILE": str(settings.data_directory / "installation.key"),
        "WOOTSTREAM_HTTP_PORT": "0",
        "WOOTSTREAM_LOG_LEVEL": "debug",
    }
    log = folder / "log"
    log.write_bytes(b"")  # an earlier process had another address
    process = await start("services.cli", "run", *names, env=os.environ | environment | more, log=log, forked=forked)
    try:
        yield Running(process.pid, await eventually(partial(_address, log)), log)
    finally:
        process.terminate()
        assert await process.wait() == 0


def _address(log: Path) -> str:
    lines = [orjson.loads(line) for line in log.read_bytes().splitlines() if line.startswith(b"{")]
    addresses = [str(line["address"]) for line in lines if line["event"] == "process_serves"]
    assert addresses, "it does not serve yet"
    return addresses[0]
