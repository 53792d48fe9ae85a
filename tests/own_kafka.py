"""A Kafka of one's own, to be killed; PostgreSQL and the session's Kafka know nothing of it.

Whoever comes last lets it end: a node that nobody asks is a fiftieth of a core for the rest of the session.
"""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from local.stack.embedded import quiet
from local.stack.servers import kafka
from local.stack.servers import tls as certificates
from local.stack.servers.pair import KAFKA, end, start_missing
from tests.eventually import eventually


class OwnKafka:
    """One node that speaks TLS alone; it comes back at the same address with the same log.

    `settings` say how to reach it. Its starts and its clients cost twice the processor time of one in clear.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.settings: dict[str, str] = {}
        directory.mkdir(parents=True, exist_ok=True)
        certificates.make(directory)

    @property
    def tls(self) -> certificates.Tls:
        made = certificates.of(self._directory)
        assert made is not None
        return made

    @property
    def certificate_address(self) -> str:
        """Where it wants a certificate instead of a password."""
        return kafka.certificate_address(self._directory)

    async def start(self) -> None:
        """Start it unless it runs."""
        address = (await start_missing(self._directory, [KAFKA], progress=quiet))[KAFKA]
        self.settings = {"kafka_bootstrap_servers": address, **kafka.security(self._directory)}

    async def kill(self) -> None:
        """Sudden death, with what was in flight."""
        server = kafka.server(self._directory)
        if note := server.running():
            os.kill(note.pid, signal.SIGKILL)
            await eventually(lambda: server.running() is None)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It holds its connections and answers nobody."""
        note = kafka.server(self._directory).running()
        assert note is not None
        os.kill(note.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(note.pid, signal.SIGCONT)

    async def end(self) -> None:
        await end([KAFKA], self._directory)


def comes_last(request: pytest.FixtureRequest, fixture: str) -> bool:
    """Whether no other test of this session asks for the fixture after this one; they share a worker, in this order."""
    asking = [item for item in request.session.items if fixture in getattr(item, "fixturenames", ())]
    return asking[-1] is request.node


@asynccontextmanager
async def own_kafka(directory: Path) -> AsyncIterator[OwnKafka]:
    node = OwnKafka(directory)
    try:
        await node.start()
        yield node
    finally:
        await node.end()
