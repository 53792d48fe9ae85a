"""A line to a server that can stand still, as that of a frozen PostgreSQL does: nothing is refused, nothing comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Line:
    """Passes bytes both ways while `flows` is set."""

    def __init__(self, url: str) -> None:
        self._there = urlsplit(url)
        self._ends: list[asyncio.StreamWriter] = []
        self.flows = asyncio.Event()
        self.flows.set()
        self.cut = False  # whoever connects is turned away
        self.url = ""

    @asynccontextmanager
    async def laid(self) -> AsyncIterator["Line"]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        user = self._there.netloc.rpartition("@")[0]
        self.url = self._there._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()
        try:
            yield self
        finally:
            self.flows.set()
            server.close()
            for end in self._ends:
                end.close()

    @property
    def carries(self) -> bool:
        """Somebody has connected, and not only to see whether a pooler is there."""
        return sum(not end.is_closing() for end in self._ends) >= 2

    def break_off(self) -> None:
        """End what there is, and let nothing new begin."""
        self.cut = True
        for end in self._ends:
            end.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.append(writer)
        if self.cut:
            writer.close()
            return
        there = await asyncio.open_connection(self._there.hostname, self._there.port)
        self._ends.append(there[1])
        await asyncio.gather(self._pass(reader, there[1]), self._pass(there[0], writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                await self.flows.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
