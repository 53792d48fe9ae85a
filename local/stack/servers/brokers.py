"""Several brokers on one machine, as production has them: each record on all three, acknowledged once two have it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from local.stack.machine.ports import HOST, free_ports, is_free
from local.stack.packages import jars
from local.stack.servers import kafka
from local.stack.servers.server import LocalServer

BROKERS = 3
_POLL_SECONDS = 0.05
_GONE_SECONDS = 30.0
_PROPERTIES = """\
node.id={node}
controller.quorum.voters={voters}
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
min.insync.replicas=2
metadata.max.idle.interval.ms=500
"""


class BrokerSet:
    """Brokers that are controllers, too, each in a directory of its own; they keep their ports."""

    def __init__(self, directory: Path, class_path: str) -> None:
        self._places = [directory / f"broker-{node}" for node in range(1, BROKERS + 1)]
        self._java: Sequence[str | Path] = kafka.java_command(class_path)
        self._cluster = kafka.new_cluster()
        ports = free_ports(2 * BROKERS)
        self._ports = [(ports[2 * node], ports[2 * node + 1]) for node in range(BROKERS)]

    @property
    def bootstrap(self) -> str:
        """All of them, host:port separated by commas."""
        return ",".join(f"{HOST}:{port}" for port, _ in self._ports)

    async def start(self) -> None:
        """Together: none of them answers before most are there."""
        for number, place in enumerate(self._places):
            place.mkdir(parents=True, exist_ok=True)
            await self._launch(number)
        await asyncio.gather(*(kafka.wait_for(place) for place in self._places))

    async def kill(self, number: int) -> None:
        """SIGKILL, and its ports are free."""
        node = self._node(number)
        note = node.running()
        assert note is not None, f"broker {number} was not running"
        os.kill(note.pid, signal.SIGKILL)
        async with asyncio.timeout(_GONE_SECONDS):
            while node.running() or not all(map(is_free, note.ports)):
                await asyncio.sleep(_POLL_SECONDS)

    async def stop(self, number: int) -> None:
        """SIGTERM: it hands its partitions over first."""
        await self._node(number).end()

    async def revive(self, number: int) -> None:
        """Return once it answers again, at the same address with the same log."""
        await self._node(number).gone()
        await self._launch(number)
        await kafka.wait_for(self._places[number])

    async def end(self) -> None:
        await asyncio.gather(*(self._node(number).end() for number in range(BROKERS)))

    async def _launch(self, number: int) -> None:
        voters = ",".join(f"{node + 1}@{HOST}:{controller}" for node, (_, controller) in enumerate(self._ports))
        more = _PROPERTIES.format(node=number + 1, voters=voters)
        await kafka.launch(self._places[number], self._ports[number], java=self._java, cluster=self._cluster, more=more)

    def _node(self, number: int) -> LocalServer:
        return kafka.server(self._places[number])


@asynccontextmanager
async def brokers(directory: Path) -> AsyncIterator[BrokerSet]:
    """They run for the length of a `with`. Raises Unavailable."""
    kafka.java_runtime()
    running = BrokerSet(directory, await jars.class_path(jars.cache(), progress=lambda _done, _total: None))
    try:
        await running.start()
        yield running
    finally:
        await asyncio.shield(running.end())
