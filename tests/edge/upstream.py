"""Ingresses that do nothing but tell what reached them, or hang, or are gone."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from local.stack.machine.ports import HOST


@asynccontextmanager
async def telling() -> AsyncIterator[str]:
    """host:port of a server that answers with the headers of each request."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().rstrip("\r\n").split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in lines)
                await reader.readexactly(int(headers.get("content-length", "0")))
                body = json.dumps(headers | {"": first}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with listening(answer) as address:
        yield address


@asynccontextmanager
async def frozen() -> AsyncIterator[str]:
    """host:port of a server that takes connections and says nothing."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with listening(hang) as address:
        yield address


@asynccontextmanager
async def listening(answer: object) -> AsyncIterator[str]:
    server = await asyncio.start_server(answer, HOST, 0)  # type: ignore[arg-type]
    try:
        yield f"{HOST}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
