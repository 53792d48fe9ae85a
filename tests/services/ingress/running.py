"""`wootstream run ingress`, or other services, in a process of its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from services.kernel import Settings
from tests.eventually import eventually


@dataclass(frozen=True)
class Running:
    """The process, where it listens, and where it writes its log."""

    pid: int
    address: str
    log: Path


@asynccontextmanager
async def running(settings: Settings, folder: Path, *names: str, **more: str) -> AsyncIterator[Running]:
    """The process, with its data in `folder` and `more` in its environment; stopped by SIGTERM."""
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
    with log.open("wb") as file:
        command = (str(Path(sys.executable).parent / "wootstream"), "run", *(names or ("ingress",)))
        process = await asyncio.create_subprocess_exec(*command, stderr=file, env=os.environ | environment | more)
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
