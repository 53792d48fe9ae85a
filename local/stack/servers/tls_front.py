"""TLS before a PostgreSQL that was built without it: `python -m local.stack.servers.tls_front PORT SERVER_PORT PEM`.

It answers the protocol's SSLRequest, refuses who does not ask for TLS, as a server with `hostssl` alone does, and hands
on what comes after.
"""

import asyncio
import contextlib
import ssl
import struct
import sys
from asyncio import StreamReader, StreamWriter

from local.stack.machine.ports import HOST

_REQUEST = struct.Struct("!ii")
_SSL, _GSS = 80877103, 80877104  # request codes of PostgreSQL's protocol
_FATAL = b"SFATAL\0VFATAL\0C28000\0Mno pg_hba.conf entry for this connection, no encryption\0\0"
_REFUSAL = b"E" + struct.pack("!i", 4 + len(_FATAL)) + _FATAL
_ASKING_SECONDS = 10.0
_CHUNK_BYTES = 64 * 1024


async def serve(port: int, server_port: int, pem: str) -> None:
    """Until the process is ended."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)

    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(_ASKING_SECONDS):
                agreed = await _agreed(reader, writer, context)
            if agreed:
                inner_reader, inner_writer = await asyncio.open_connection(HOST, server_port)
                await asyncio.gather(_pipe(reader, inner_writer), _pipe(inner_reader, writer))
        writer.close()

    async with await asyncio.start_server(answer, HOST, port) as server:
        await server.serve_forever()


async def _agreed(reader: StreamReader, writer: StreamWriter, context: ssl.SSLContext) -> bool:
    """Whether the line speaks TLS now."""
    while True:
        _, code = _REQUEST.unpack(await reader.readexactly(_REQUEST.size))
        if code == _GSS:
            writer.write(b"N")
            continue
        writer.write(b"S" if code == _SSL else _REFUSAL)
        await writer.drain()
        if code == _SSL:
            await writer.start_tls(context)
        return bool(code == _SSL)


async def _pipe(reader: StreamReader, writer: StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
