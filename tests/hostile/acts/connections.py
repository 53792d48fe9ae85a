"""What can be said on a connection, whoever one is: no secret is needed for any of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from tests.hostile.acts.named import named
from tests.hostile.tenant import HUNG_UP, Tenant
from tests.services.ingress.wire import Wire, request

_HELD_SECONDS = 3.0
_MANY = 2_100  # more than a process takes
_BODY = b'{"event":"message_created","conversation":{"id":7}}'
_CHUNKED = "transfer-encoding: chunked"


def _head(tenant: Tenant, *lines: str, line: str | None = None) -> bytes:
    first = line or f"POST {tenant.store.door} HTTP/1.1"
    return "\r\n".join([first, "host: x", *lines, "", ""]).encode("utf-8", "surrogateescape")


async def _poured(tenant: Tenant, start: bytes, part: bytes, times: int) -> None:
    """The same part again and again, until the system hangs up or it was enough."""
    with contextlib.suppress(OSError):
        async with tenant.connection() as line:
            await line.say(start)
            for _ in range(times):
                if line.closed:
                    break
                await line.say(part)
    tenant.answers[HUNG_UP] += 1


@asynccontextmanager
async def _held(tenant: Tenant, count: int, start: bytes = b"") -> AsyncIterator[list[Wire]]:
    """So many connections that said no more than this. Those that are refused are refused."""
    async with AsyncExitStack() as stack:
        lines = []
        for _ in range(count):
            with contextlib.suppress(OSError):
                lines.append(await stack.enter_async_context(tenant.connection()))
                await lines[-1].say(start)
        yield lines


async def endless_trailers(tenant: Tenant) -> None:
    """Sixty megabytes of trailers after an empty body."""
    start = _head(tenant, _CHUNKED) + b"0\r\n"
    await _poured(tenant, start, b"".join(b"x-%d: %s\r\n" % (number, b"a" * 1000) for number in range(1000)), 60)


async def endless_heads(tenant: Tenant) -> None:
    """A line without end, lines without end, a target without end, a chunk's size without end."""
    start = _head(tenant)[:-2]
    for part in (b"x-a: a\r\n" * 10_000, b"a" * 100_000, b" \r\n" * 10_000):
        await _poured(tenant, start, part, 50)
    await _poured(tenant, b"GET /", b"a" * 100_000, 50)
    await _poured(tenant, b"\r\n", b"\r\n" * 50_000, 50)
    await _poured(tenant, _head(tenant, _CHUNKED), b"0" * 100_000, 50)
    await _poured(tenant, _head(tenant, _CHUNKED) + b"1;", b"a=b;" * 20_000, 50)


async def endless_body(tenant: Tenant) -> None:
    """Chunks without end, of one byte and of many."""
    await _poured(tenant, _head(tenant, _CHUNKED), b"1\r\n \r\n" * 10_000, 100)
    await _poured(tenant, _head(tenant, _CHUNKED), b"10000\r\n" + b" " * 0x10000 + b"\r\n", 300)


async def silent_connections(tenant: Tenant) -> None:
    """More than a process takes, which say nothing."""
    async with _held(tenant, _MANY):
        await asyncio.sleep(_HELD_SECONDS)


async def idle_connections(tenant: Tenant) -> None:
    """More than a process takes, each kept alive after a request, or after a bare line's end."""
    for start in (_head(tenant, line="GET /live HTTP/1.1"), _head(tenant, line="GET /live HTTP/1.1") + b"\r\n"):
        async with _held(tenant, _MANY, start):
            await asyncio.sleep(_HELD_SECONDS)


async def half_requests(tenant: Tenant) -> None:
    """More than a process takes, each in the middle of something."""
    for start in (
        b"P",
        _head(tenant)[:-2],
        _head(tenant, "content-length: 1000000") + b"{",
        _head(tenant, _CHUNKED) + b"5\r\na",
    ):
        async with _held(tenant, _MANY // 4, start):
            await asyncio.sleep(_HELD_SECONDS / 4)


async def answers_never_read(tenant: Tenant) -> None:
    """Requests by the thousand on each of many connections, and nobody who reads."""
    start = _head(tenant, line="GET /openapi.json HTTP/1.1") * 2000
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_HELD_SECONDS), _held(tenant, 50, start):
            await asyncio.sleep(_HELD_SECONDS)


async def pipelining(tenant: Tenant) -> None:
    """A thousand requests in one breath, and a hundred connections that do so."""
    right = request(tenant.store.door, tenant.signed(_BODY), _BODY)

    async def pour(count: int) -> None:
        with contextlib.suppress(OSError):
            async with tenant.connection() as line:
                await tenant.answered(line, right * count)

    await pour(1000)
    await asyncio.gather(*(pour(20) for _ in range(50)))


async def pauses_at_every_byte(tenant: Tenant) -> None:
    """One rightly signed request, a byte at a time."""
    raw = request(tenant.store.door, tenant.signed(_BODY), _BODY)
    async with tenant.connection() as line:
        for at in range(len(raw) - 1):
            await line.say(raw[at : at + 1])
            await asyncio.sleep(0)
        await tenant.answered(line, raw[-1:])


async def wrong_lengths(tenant: Tenant) -> None:
    """Lengths that lie, that contradict each other, and that are none."""
    signed = [f"{name}: {value}" for name, value in tenant.signed(_BODY).items()]
    said: Iterable[tuple[str, ...]] = (
        (f"content-length: {len(_BODY) - 1}",), (f"content-length: {len(_BODY) + 1}",), ("content-length: -1",),
        ("content-length: +5",),
        (f"content-length: {10**30}",), ("content-length: 5, 5",), ("content-length: 5", "content-length: 6"),
        ("content-length: 0x10",),
        ("content-length: ",), (f"content-length: {len(_BODY)}", _CHUNKED), ("transfer-encoding: gzip, chunked",),
        ("transfer-encoding: chunked, chunked",), ("transfer-encoding: xchunked",), ("transfer-encoding : chunked",),
        (),
        ("content-encoding: gzip", f"content-length: {len(_BODY)}"), ("expect: 100-continue",
        f"content-length: {len(_BODY)}"),
        ("expect: x", f"content-length: {len(_BODY)}"),
    )  # fmt: skip
    for lines in said:
        with contextlib.suppress(OSError):
            await tenant.ask(_head(tenant, *signed, *lines) + _BODY, last=True)


async def upgrades(tenant: Tenant) -> None:
    """h2c as Java's client asks for it, a websocket, HTTP/2 and TLS at once."""
    signed = tenant.signed(_BODY)
    h2c = {
        "connection": "Upgrade, HTTP2-Settings",
        "upgrade": "h2c",
        "http2-settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
    }
    for more in (h2c, {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-key": "x"}, {"upgrade": "h2c"}):
        await tenant.ask(request(tenant.store.door, signed | more, _BODY), last=True)
    for raw in (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"CONNECT x:1 HTTP/1.1\r\n\r\n",
    ):
        await tenant.ask(raw, last=True)


async def odd_requests(tenant: Tenant) -> None:
    """First lines and headers that no client sends."""
    for line in (
        "GET http://x/live HTTP/1.1", "OPTIONS * HTTP/1.1", "GET /live HTTP/9.9", "GET /live HTTP/1.0", "GET /live",
        "get /live HTTP/1.1",
        "TRACE / HTTP/1.1", "POST //webhooks HTTP/1.1", "GET /%00 HTTP/1.1", "GET /\xff HTTP/1.1",
        "GET  /live  HTTP/1.1", "PATCH /metrics HTTP/1.1",
        "GET /live?" + "a=b&" * 1000 + " HTTP/1.1", "X" * 5000 + " / HTTP/1.1", "GET /widget/%2e%2e/config HTTP/1.1",
        "DELETE /beacons HTTP/1.1",
    ):  # fmt: skip
        await tenant.ask(_head(tenant, line=line), last=True)
    for header in (
        "x: " + "a" * 60_000,
        "x\0: y",
        "x: \0",
        ": y",
        "x",
        " x: y",
        "x:\ty\t",
        "host: y",
        "cookie: " + "a=b;" * 2000,
        "é: é",
    ):
        await tenant.ask(_head(tenant, header, line="GET /live HTTP/1.1"), last=True)


async def smuggled_forwarding(tenant: Tenant) -> None:
    """A trailer that would be an address, and headers that would be a proxy's."""
    signed = [f"{name}: {value}" for name, value in tenant.signed(_BODY).items()]
    body = b"%x\r\n%s\r\n0\r\nx-forwarded-for: 9.9.9.9\r\ncontent-length: 5\r\nhost: evil\r\n\r\n" % (len(_BODY), _BODY)
    await tenant.ask(_head(tenant, *signed, _CHUNKED) + body, last=True)
    for name in ("x-forwarded-for", "forwarded", "x-real-ip", "x-forwarded-proto", "x-original-url"):
        await tenant.ask(
            _head(tenant, *signed, f"{name}: {'1.1.1.1,' * 900}", f"content-length: {len(_BODY)}") + _BODY, last=True
        )


async def comings_and_goings(tenant: Tenant) -> None:
    """Connections by the hundred, closed as soon as they are open, and in the middle of a request."""
    for start in (b"", _head(tenant)[:20], request(tenant.store.door, tenant.signed(_BODY), _BODY)):
        for _ in range(10):
            async with _held(tenant, 30, start):
                pass


ACTS = named(
    endless_trailers, endless_heads, endless_body, silent_connections, idle_connections, half_requests,
    answers_never_read,
    pipelining, pauses_at_every_byte, wrong_lengths, upgrades, odd_requests, smuggled_forwarding, comings_and_goings,
)  # fmt: skip
