"""Connections to Chatwoots: only where a call may go, and bounded in what comes before an answer has said something.

h11, below httpx, parses whatever it is given in one go, and skips without a word what is neither head nor body: interim
answers (100, 103), sizes of chunks with their extensions, trailers. A field of 18 KB of blanks before a NUL holds it up
for a second: its expression tries every pair of them. So it is given little at once, and little in a row,
in slices between which the loop goes on.
"""

import asyncio
import re
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from services.kernel.web.targets import NotCalled, resolved

_ADDRESSES = 3  # of one name that are tried
# h11 needs 5 µs for a chunk or interim answer, and 30 ms for blanks that fill two slices of trailers.
SLICE_BYTES = 1536
_MOST_HEAD_BYTES = 16 * 1024  # with interim answers
_MOST_HEAD_LINES = 200
_MANY_BLANKS = re.compile(rb"\s{512}")
_MOST_BYTES_BETWEEN = 512  # two parts of a body, or behind the last one


class BoundedStream(httpcore.AsyncNetworkStream):
    """A connection. Whoever reads an answer says `heard` when its head, or a part of its body, has come."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._in_head = True
        self._bytes = self._lines = 0  # not heard
        self._last = b""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """A slice of what comes. Raises RemoteProtocolError when what came before it made too little sense."""
        if self._is_too_much():
            raise httpcore.RemoteProtocolError("too much that is neither a head nor a part of a body")
        await asyncio.sleep(0)  # TLS hands over what has already come without a turn for others
        data = await self._stream.read(min(max_bytes, SLICE_BYTES), timeout)
        self._bytes += len(data)
        if self._in_head:
            self._lines += data.count(b"\n")
            self._last = self._last[-SLICE_BYTES:] + data
        return data

    def _is_too_much(self) -> bool:
        """Asked when nothing was made of what has come so far, so that all of it belongs to a head or between parts."""
        if not self._in_head:
            return self._bytes > _MOST_BYTES_BETWEEN
        long = self._bytes > _MOST_HEAD_BYTES or self._lines > _MOST_HEAD_LINES
        return long or _MANY_BLANKS.search(self._last) is not None

    def heard(self) -> None:
        self._in_head, self._bytes, self._lines, self._last = False, 0, 0, b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.heard()
        self._in_head = True  # of the answer to what is asked now
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return BoundedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _BoundedBackend(httpcore.AnyIOBackend):
    """To any address: a proxy's is the operator's own word."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return BoundedStream(await super().connect_tcp(host, port, timeout, local_address, socket_options))


class _CheckedBackend(_BoundedBackend):
    """To addresses that may be called. Connections belong to a name and not to its address, of which others may be."""

    def __init__(self, *, private: bool) -> None:
        super().__init__()
        self._private = private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            first, *others = await resolved(host, port, private=self._private)
        except NotCalled:
            raise
        except (OSError, TimeoutError) as error:
            raise httpcore.ConnectError(str(error) or "its name is not resolved in time") from error
        for address in (first, *others[: _ADDRESSES - 1]):
            try:
                return await super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


def bound(client: httpx.AsyncClient, *, private: bool) -> None:
    """Let every connection of this client be bounded, and those to servers lead to a private network only if `private`.

    httpcore takes a backend, httpx hands none on and reads the environment's proxies only where it makes the transports
    itself. Through a proxy, the proxy decides where calls may go.
    """
    backends = [(client._transport, _CheckedBackend(private=private))]
    for transport, backend in [*backends, *((one, _BoundedBackend()) for one in client._mounts.values())]:
        if isinstance(transport, httpx.AsyncHTTPTransport):
            transport._pool._network_backend = backend


def heard(response: httpx.Response) -> None:
    """The head of this answer, or another part of its body, has come."""
    stream = response.extensions.get("network_stream")
    if isinstance(stream, BoundedStream):
        stream.heard()
