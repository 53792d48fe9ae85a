"""Ingresses that do nothing but tell what reached them, or hang, or are gone."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager

from local.stack.machine.ports import HOST

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


@asynccontextmanager
async def telling() -> AsyncIterator[str]:
    """host:port of a server that answers with the headers of each request."""

    def tell(first: str, headers: Mapping[str, str], _body: bytes) -> bytes:
        return json.dumps({**headers, "": first}).encode()

    async with answering_http(tell) as address:
        yield address


@asynccontextmanager
async def hearing(hear: Callable[[str, bytes], object]) -> AsyncIterator[str]:
    """host:port of one that is told over HTTP: the path and the body of each request."""

    def take(first: str, _headers: Mapping[str, str], body: bytes) -> bytes:
        hear(first.split()[1], body)
        return b"ok"

    async with answering_http(take) as address:
        yield address


@asynccontextmanager
async def frozen() -> AsyncIterator[str]:
    """host:port of a server that takes connections and says nothing."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        finally:
            writer.close()

    async with listening(hang) as address:
        yield address


@asynccontextmanager
async def listening(answer: Answer) -> AsyncIterator[str]:
    """host:port where each connection is answered so; those that are left end with it."""
    answering: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(answer(reader, writer))
        answering.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await task
        answering.discard(task)

    server = await asyncio.start_server(connected, HOST, 0)
    try:
        yield f"{HOST}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)


@asynccontextmanager
async def answering_http(answer: Callable[[str, Mapping[str, str], bytes], bytes]) -> AsyncIterator[str]:
    """host:port where each request is answered 200 with what `answer` makes of its first line, headers and body."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().rstrip("\r\n").split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in lines)
                body = answer(first, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async with listening(take) as address:
        yield address
