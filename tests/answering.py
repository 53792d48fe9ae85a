"""A Chatwoot in a test's own words: a handler in place of the network, or many servers that all say the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

_NOTHING = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Answering(httpx.MockTransport):
    """Answers are streamed as the client reads; httpx's own hands over what has been read already."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if not answer.is_stream_consumed:
            return answer
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))


@asynccontextmanager
async def keeping_open(count: int) -> AsyncIterator[list[str]]:
    """Where so many servers are, each of which answers at once and keeps its connections open."""
    async with AsyncExitStack() as opened:
        bases = []
        for _ in range(count):
            server = await opened.enter_async_context(await asyncio.start_server(_serve, "127.0.0.1", 0))
            bases.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        yield bases


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(_NOTHING)
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # the client has closed it
    finally:
        writer.close()
