"""A Kafka of one's own, to be killed; PostgreSQL and the session's Kafka know nothing of it."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from local.stack import kafka
from local.stack.embedded import quiet
from local.stack.pair import KAFKA, end, start_missing
from tests.eventually import eventually


class OwnKafka:
    """One node; it comes back at the same address with the same log."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.address = ""

    async def start(self) -> None:
        """Start it unless it runs."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self.address = (await start_missing(self._directory, [KAFKA], progress=quiet))[KAFKA]

    async def kill(self) -> None:
        """Sudden death, with what was in flight."""
        server = kafka.server(self._directory)
        if note := server.running():
            os.kill(note.pid, signal.SIGKILL)
            await eventually(lambda: server.running() is None)

    async def end(self) -> None:
        await end([KAFKA], self._directory)


@asynccontextmanager
async def own_kafka(directory: Path) -> AsyncIterator[OwnKafka]:
    node = OwnKafka(directory)
    try:
        await node.start()
        yield node
    finally:
        await node.end()
