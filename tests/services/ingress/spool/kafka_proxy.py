"""A proxy before a Kafka on this machine: it is away, what it answers comes late, or a partition has no leader.

Clients are told the proxy's address for that of every broker, so all their traffic goes through it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiokafka.protocol import metadata

from local.stack.machine.ports import HOST, free_ports

_METADATA = 3
_NO_LEADER = -1


class KafkaProxy:
    """Passes frames on in clear, requests at once; may deny that `place` has a leader."""

    def __init__(self, kafka: str, place: tuple[str, int] | None = None) -> None:
        host, port = kafka.rsplit(":", 1)
        self._kafka = host, int(port)
        (self._port,) = free_ports(1)
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Future[None], asyncio.StreamWriter] = {}
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
        return f"{HOST}:{self._port}"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["KafkaProxy"]:
        await self._open()
        try:
            yield self
        finally:
            await self._close()

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """As when Kafka died: who was connected is cut off, also from an answer, and nobody new is taken."""
        await self._close()
        try:
            yield
        finally:
            await self._open()

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._accept, HOST, self._port)

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        cut = dict(self._connections)
        for one in cut:
            one.cancel()
        await asyncio.gather(*cut, return_exceptions=True)
        for writer in cut.values():
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._pass(reader, writer))
        self._connections[task] = writer
        task.add_done_callback(self._connections.pop)

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
        answer.brokers = [(node, HOST, self._port, *rest) for node, _host, _port, *rest in answer.brokers]
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
