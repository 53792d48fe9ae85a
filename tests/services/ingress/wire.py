"""A connection that says exactly the bytes it is given: no client library mends or refuses them on the way."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.eventually import PATIENCE_SECONDS


class Wire:
    """One HTTP/1.1 connection, kept alive as long as the server likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._last = False  # the server said that it answers nothing more

    async def ask(self, request: bytes, *, last: bool = False, pause_every: int = 0) -> tuple[int, bytes]:
        """Status and body of the answer; 0 where the server hung up. After the `last` we hang up, too. With a pause
        every so many bytes the server sees the parts each for itself."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                for part in _parts(request, pause_every):
                    self._writer.write(part)
                    await self._writer.drain()
                    await asyncio.sleep(0)
                if last:
                    self._writer.write_eof()
                head = await self._reader.readuntil(b"\r\n\r\n")
                self._last = b"\r\nconnection: close" in head.lower()
                return int(head[9:12]), await self._reader.readexactly(_length(head))
        except TimeoutError:  # an OSError, too; but a server that says nothing is no server that hung up
            raise
        except (asyncio.IncompleteReadError, OSError):
            return 0, b""

    async def say(self, part: bytes) -> None:
        """Send without waiting for an answer."""
        self._writer.write(part)
        await self._writer.drain()

    @property
    def closed(self) -> bool:
        return self._last or self._reader.at_eof() or self._writer.is_closing()


@asynccontextmanager
async def wire(address: str, *, source: str | None = None) -> AsyncIterator[Wire]:
    """A connection to this address, from an address of this machine where one is named."""
    parts, local = urlsplit(address), (source, 0) if source else None
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, local_addr=local)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


def _parts(request: bytes, size: int) -> list[bytes]:
    return [request[at : at + size] for at in range(0, len(request), size)] if size else [request]


def request(path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A POST as a well-behaved client writes it."""
    lines = [f"POST {path} HTTP/1.1", "host: x", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
