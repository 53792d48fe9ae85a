"""A proxy before a Kafka on this machine: what it answers comes late, or says that a partition has no leader.

Clients are told the proxy's address for that of every broker, so all their traffic goes through it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiokafka.protocol import metadata

_METADATA = 3
_NO_LEADER = -1


class SlowKafka:
    """Passes frames on in clear, requests at once; may deny that `place` has a leader."""

    def __init__(self, kafka: str, place: tuple[str, int]) -> None:
        host, port = kafka.rsplit(":", 1)
        self._kafka = host, int(port)
        self._port = 0
        self._late_seconds = 0.0
        self._place = place
        self._is_leaderless = False

    @contextmanager
    def late(self, seconds: float) -> Iterator[None]:
        self._late_seconds = seconds
        try:
            yield
        finally:
            self._late_seconds = 0.0

    @contextmanager
    def leaderless(self) -> Iterator[None]:
        """`place` has no leader, whoever asks."""
        self._is_leaderless = True
        try:
            yield
        finally:
            self._is_leaderless = False

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["SlowKafka"]:
        connections: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.add(task := asyncio.ensure_future(self._pass(reader, writer)))
            task.add_done_callback(connections.discard)

        server = await asyncio.start_server(accept, "127.0.0.1")
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for one in connections:
                one.cancel()
            await asyncio.gather(*connections, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_kafka, to_kafka = await asyncio.open_connection(*self._kafka)
        asked: dict[bytes, int] = {}  # correlation id → version of a request for metadata

        def note(frame: bytes) -> bytes:
            if int.from_bytes(frame[:2]) == _METADATA:
                asked[frame[4:8]] = int.from_bytes(frame[2:4])
            return frame

        def answer(frame: bytes) -> bytes:
            version = asked.pop(frame[:4], None)
            return frame if version is None else frame[:4] + self._retold(version, frame[4:])

        async def late() -> None:
            await asyncio.sleep(self._late_seconds)

        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_frames(reader, to_kafka, note))
                both.create_task(_frames(from_kafka, writer, answer, late))
        except* (asyncio.IncompleteReadError, OSError):
            pass  # one side has hung up
        finally:
            writer.close()
            to_kafka.close()

    def _retold(self, version: int, body: bytes) -> bytes:
        answer: Any = getattr(metadata, f"MetadataResponse_v{version}").decode(body)
        answer.brokers = [(node, "127.0.0.1", self._port, *rest) for node, _host, _port, *rest in answer.brokers]
        answer.topics = [(error, topic, *rest, [self._led(topic, one) for one in partitions])
                       for error, topic, *rest, partitions in answer.topics]  # fmt: skip
        encoded: bytes = answer.encode()
        return encoded

    def _led(self, topic: str, partition: Any) -> Any:
        error, number, leader, *rest = partition
        is_led = not self._is_leaderless or (topic, number) != self._place
        return (error, number, leader if is_led else _NO_LEADER, *rest)


async def _frames(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, change: Callable[[bytes], bytes], late: Any = None
) -> None:
    while True:
        size = int.from_bytes(await reader.readexactly(4))
        frame = change(await reader.readexactly(size))
        if late:
            await late()
        writer.write(len(frame).to_bytes(4) + frame)
        await writer.drain()
