"""A server that a tenant names may be anything: what it answers, real bytes on a real socket, costs a bounded much."""

import asyncio
import gzip
import re
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import h11
import pytest
from prometheus_client import CollectorRegistry

from services.kernel import Chatwoot, ChatwootAnswer, Clock, Retryable, Settings
from services.kernel.chatwoot.bounded_network import SLICE_BYTES
from services.kernel.chatwoot.chatwoot_client import MOST_BYTES
from tests.eventually import PATIENCE_SECONDS

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_CHUNKED = _JSON + b"transfer-encoding: chunked\r\n\r\n"
_PACKED = b"content-encoding: gzip"


@asynccontextmanager
async def _server(serve: Serve) -> AsyncIterator[str]:
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has had enough
        finally:
            writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        server.close()


def _saying(*parts: bytes) -> Serve:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return serve


def _dripping(head: bytes, drop: bytes) -> Serve:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.01)

    return serve


async def _ask(serve: Serve, method: str = "GET") -> ChatwootAnswer:
    async with _server(serve) as url:
        client = Chatwoot(Settings(), Clock(), CollectorRegistry())
        try:
            return await client.call(url, method, "/api/v1/accounts/3/contacts/1", token="t")
        finally:
            await client.close()


class _Turns:
    """Counts the turns of the loop, for the length of a `with`."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> None:
        self._handle = asyncio.get_running_loop().call_soon(self._turn)

    def __exit__(self, *_: object) -> None:
        self._handle.cancel()

    def _turn(self) -> None:
        self.count += 1
        self._handle = asyncio.get_running_loop().call_soon(self._turn)


def _sized(body: bytes, *headers: bytes) -> bytes:
    return _JSON + b"".join(one + b"\r\n" for one in headers) + b"content-length: %d\r\n\r\n" % len(body) + body


def _bomb(megabytes: int) -> bytes:
    """Without its end, which nobody is to reach: packed one by one they would cost each worker a third of a second."""
    packer, megabyte = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS), bytes(1024 * 1024)
    first, each = (packer.compress(megabyte) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + each * (megabytes - 1)


_NO_PARTS = {
    "a head without end": (_JSON + b"x: " + b"y" * 1_000_000, "RemoteProtocolError"),
    "a thousand head lines": (_JSON + b"x: yyyyyyyyyyyyyyyyyyyyy\r\n" * 10_000, "RemoteProtocolError"),
    "interim answers without end": (b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, "RemoteProtocolError"),
    "a chunk's size without end": (_CHUNKED + b"0" * 1_000_000, "RemoteProtocolError"),
    "an extension without end": (_CHUNKED + b"1;" + b"x" * 1_000_000, "RemoteProtocolError"),
    "trailers without end": (_CHUNKED + b"0\r\n" + b"a: b\r\n" * 100_000, "RemoteProtocolError"),
    "a body in chunks of a byte": (_CHUNKED + b"1\r\n \r\n" * 300_000, "in too many parts"),
    # What h11's expression for a field backtracks over.
    "a field of blanks": (_JSON + b"x:" + b" " * 90_000 + b"\0\r\n\r\n", "RemoteProtocolError"),
    "folded lines of blanks": (_JSON + b"x:" + b"\n " * 45_000 + b"\0\r\n\r\n", "RemoteProtocolError"),
    "a trailer of blanks": (_CHUNKED + b"0\r\nx:" + b" " * 90_000 + b"\0\r\n\r\n", "RemoteProtocolError"),
}
_ANSWERS = _NO_PARTS | {
    "unpacks to 100 MB": (_sized(_bomb(100), _PACKED), "is larger than 2,097,152 bytes"),
    "large as it is": (_sized(b" " * (MOST_BYTES + 1)), "is larger than 2,097,152 bytes"),
    "large behind its end": (_sized(gzip.compress(b"{}") + bytes(MOST_BYTES), _PACKED), "is larger than"),
    "of many values": (_sized(b"[" + b"{}," * 60_000 + b"{}]"), "has more values in it"),
    "packed twice": (_sized(b"x", b"content-encoding: gzip, gzip"), "in a coding that was not asked for"),
    "packed otherwise": (_sized(b"x", b"content-encoding: br"), "in a coding that was not asked for"),
    "no gzip at all": (_sized(b"{}", _PACKED), "does not answer: error"),
    "gzip that is cut short": (_sized(gzip.compress(b"{}")[:-9], _PACKED), "does not answer: error"),
    "shorter than it says": (_JSON + b"content-length: 9\r\n\r\n{}", "RemoteProtocolError"),
    "a page of a proxy": (b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\n<p", "is no JSON"),
    "a way to elsewhere": (
        b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n", "leads elsewhere"
    ),
    "no HTTP": (b"220 smtp.example ESMTP\r\n\r\n", "RemoteProtocolError"),
    "nothing": (b"", "RemoteProtocolError"),
}  # fmt: skip


@pytest.mark.parametrize("kind", _ANSWERS)
async def test_what_is_no_answer_is_retryable_and_costs_little_memory(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for limit in ("_FIRST_BYTE_SECONDS", "_WHOLE_SECONDS"):  # a busy machine under tracemalloc would reach ours
        monkeypatch.setattr(f"services.kernel.chatwoot.chatwoot_client.{limit}", PATIENCE_SECONDS)
    answer, reason = _ANSWERS[kind]
    with pytest.raises(Retryable):
        await _ask(_saying(b""))  # modules and authorities that the first call loads are no answer's cost
    tracemalloc.start()
    try:
        with pytest.raises(Retryable, match=re.escape(reason)):
            await _ask(_saying(answer))
        assert tracemalloc.get_traced_memory()[1] < 4 * MOST_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", _NO_PARTS)
async def test_no_more_than_a_slice_of_what_a_server_sends_is_parsed_in_one_go(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The time that h11 takes grows with the square of what it is given; between slices the loop takes its turns."""
    given: list[tuple[int, int]] = []  # bytes, turns of the loop since it began
    turns, receive = _Turns(), h11.Connection.receive_data

    def counted(connection: h11.Connection, data: bytes) -> None:
        given.append((len(data), turns.count))
        receive(connection, data)

    monkeypatch.setattr(h11.Connection, "receive_data", counted)
    with pytest.raises(Retryable), turns:
        await _ask(_saying(_NO_PARTS[kind][0]))
    assert max((size for size, _ in given), default=0) <= SLICE_BYTES
    assert len({turn for _, turn in given}) == len(given)


async def test_bytes_behind_the_end_of_a_gzip_answer_are_nothing() -> None:
    assert (await _ask(_saying(_sized(gzip.compress(b'{"a":1}') + b"junk" * 1000, _PACKED)))).content == b'{"a":1}'


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        pytest.param(b"", b"", id="nothing at all"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"x", id="a head that drips"),
        pytest.param(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", id="hints without end"),
        pytest.param(_CHUNKED, b"1\r\n \r\n", id="a body that drips"),
        pytest.param(
            _JSON + b"content-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n",
            b"5\r\n\0\0\0\xff\xff\r\n",
            id="a packed body that drips",
        ),
        pytest.param(_CHUNKED + b"0\r\n", b"a: b\r\n", id="trailers without end"),
    ],
)
async def test_an_answer_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch, head: bytes, drop: bytes) -> None:
    """However alive it looks; the limits are made short, so that the test is."""
    monkeypatch.setattr("services.kernel.chatwoot.chatwoot_client._FIRST_BYTE_SECONDS", 0.2)
    monkeypatch.setattr("services.kernel.chatwoot.chatwoot_client._WHOLE_SECONDS", 0.4)
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(Retryable, match="does not answer"):
            await _ask(_dripping(head, drop))


@pytest.mark.parametrize("packed", [False, True])
async def test_an_answer_of_json_is_read_packed_or_not(packed: bool) -> None:
    body = gzip.compress(b'{"payload": {}}') if packed else b'{"payload": {}}'
    answer = await _ask(_saying(_sized(body, *([_PACKED] if packed else []))))
    assert (answer.status_code, answer.content, answer.is_json) == (200, b'{"payload": {}}', True)


async def test_an_empty_answer_needs_no_content_type_and_a_refusal_none_either() -> None:
    empty = await _ask(_saying(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), "DELETE")
    refusal = await _ask(_saying(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"))
    assert (empty.content, empty.is_success, refusal.status_code, refusal.is_json) == (b"", True, 404, False)


async def test_a_page_that_says_404_is_a_proxys_and_nobodys_end() -> None:
    with pytest.raises(Retryable, match="answers 404 with a page"):
        await _ask(_saying(b"HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 9\r\n\r\n<h1/>404!"))
    gone = await _ask(_saying(_sized(b'{"error":"Resource could not be found"}').replace(b"200 OK", b"404 Not Found")))
    assert (gone.status_code, gone.is_json) == (404, True)


async def test_a_page_of_the_platform_api_is_chatwoots_own_word() -> None:
    page = _saying(b"HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 9\r\n\r\n<h1/>404!")
    async with _server(page) as url:
        client = Chatwoot(Settings(), Clock(), CollectorRegistry())
        answer = await client.call(url, "GET", "/platform/api/v1/accounts", token="t")
        await client.close()
    assert (answer.status_code, answer.is_json) == (404, False)


async def test_no_cookie_of_one_answer_goes_with_the_next_call() -> None:
    heads: list[bytes] = []

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_sized(b"{}", b"set-cookie: session=of-another-store", b"connection: close"))

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = Chatwoot(Settings(), Clock(), CollectorRegistry())
    for _ in range(2):
        await client.call(url, "GET", "/api", token="t")
    await client.close()
    server.close()
    assert len(heads) == 2
    assert not any(b"cookie" in head.lower() for head in heads)


async def test_servers_that_hang_take_no_connection_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging, over = asyncio.Semaphore(0), asyncio.Event()

    async def hang(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        hanging.release()
        await over.wait()

    client = Chatwoot(Settings(chatwoot_calls_per_second=10_000), Clock(), CollectorRegistry())
    async with _server(hang) as stuck, _server(_saying(_sized(b"{}"))) as well, asyncio.timeout(PATIENCE_SECONDS):
        calls = [
            asyncio.create_task(client.call(stuck, "GET", f"/api/v1/accounts/{n}/x", token="t")) for n in range(150)
        ]
        for _ in calls:
            await hanging.acquire()
        assert (await client.call(well, "GET", "/api", token="t")).is_success
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        over.set()
    await client.close()
