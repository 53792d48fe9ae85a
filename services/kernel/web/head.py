"""What a request's head means where the parser leaves it open, by RFC 9110 and 9112, or why it is refused."""

import re
from collections.abc import Iterable
from typing import NamedTuple

import httptools

from services.kernel.web.faults import Fault

# The fields that `framing` looks at; a connection need not hand in others.
WATCHED = frozenset((b"host", b"content-length", b"transfer-encoding", b"content-encoding", b"expect"))
UNKNOWN_BYTES = 1 << 62
_HOST = re.compile(rb"[\w.~%!$&'()*+,;=:\[\]-]*", re.ASCII)


class HeadRefused(Exception):
    """This head is not taken. Raised through the parser, which then stops."""

    def __init__(self, fault: Fault | None = None) -> None:
        super().__init__()
        self.fault = fault


class Framing(NamedTuple):
    """How the body ends."""

    length: int
    field: bytes  # the line that says so
    expects: bool  # 100 before it comes


def framing(fields: Iterable[tuple[bytes, bytes]], version: str) -> Framing:
    """Judge the watched fields, names in lower case. Raises HeadRefused."""
    hosts, length, field, expects = 0, 0, b"", False
    for name, value in fields:
        if name == b"host":
            hosts += 1
            if not _HOST.fullmatch(value):
                raise HeadRefused(Fault.HOST)
        elif name == b"content-length":
            length, field = int(value), b"content-length: %s\r\n" % value
        elif name == b"transfer-encoding":
            length, field = UNKNOWN_BYTES, b"transfer-encoding: chunked\r\n"
            _judge_coding(value.lower(), version)
        elif name == b"content-encoding":
            if value.lower() not in (b"", b"identity"):
                raise HeadRefused(Fault.CONTENT_CODING)
        elif version == "1.1":  # expect; HTTP/1.0 knows none
            expects = value.lower() == b"100-continue"
            if not expects:
                raise HeadRefused(Fault.EXPECTATION)
    if version not in ("1.1", "1.0"):
        raise HeadRefused(Fault.VERSION)
    if hosts > 1 or (not hosts and version == "1.1"):
        raise HeadRefused(Fault.HOST)
    return Framing(length, field, expects)


def _judge_coding(value: bytes, version: str) -> None:
    """RFC 9112 6.1 and 6.3: an unknown coding before `chunked` is 501, one after it 400, any of HTTP/1.0 400."""
    if version != "1.1" or value.rpartition(b",")[2].strip(b" \t") != b"chunked":
        raise HeadRefused(Fault.FRAMING)
    if b"," in value:
        raise HeadRefused(Fault.TRANSFER_CODING)


def target(url: bytes, method: str) -> tuple[bytes, bytes]:
    """Path and query. Raises HeadRefused."""
    if method == "CONNECT":
        raise HeadRefused(Fault.METHOD)
    if url[:1] == b"/":
        path, _, query = url.partition(b"#")[0].partition(b"?")
    elif url == b"*" and method == "OPTIONS":
        return url, b""
    else:
        path, query = _absolute(url)
    if not url.isascii():
        raise HeadRefused(Fault.TARGET)
    return path, query


def _absolute(url: bytes) -> tuple[bytes, bytes]:
    """RFC 9112 3.2.2: as proxies are asked, and as every server must understand it."""
    try:
        parsed = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError:
        raise HeadRefused(Fault.TARGET) from None
    if parsed.schema is None or parsed.schema.lower() not in (b"http", b"https") or not parsed.host:
        raise HeadRefused(Fault.TARGET)
    return parsed.path or b"/", parsed.query or b""
