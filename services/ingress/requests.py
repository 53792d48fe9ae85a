"""What a door reads of a request: its headers and, within limits of size and time, its body."""

import asyncio

from starlette.types import Message, Receive, Scope

from services.ingress.refusals import Reason, Refused

WEBHOOK_BYTES = 4 * 1024 * 1024
BEACON_BYTES = 64 * 1024
# A body up to this size is bounded by the number of connections; what lies above shares one allowance.
_SMALL_BYTES = 64 * 1024
_LARGE_BODIES_BYTES = 64 * 1024 * 1024


class Bodies:
    """Reads bodies. What exceeds a small body is counted, so that a thousand slow senders cannot fill the memory."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._held = 0

    async def read(self, scope: Scope, receive: Receive, limit: int) -> bytes:
        """The whole body. Raises Refused: TOO_LARGE, SLOW, GONE, or NO_ROOM while large bodies fill their share."""
        if (length := content_length(scope)) is not None and length > limit:
            raise Refused(Reason.TOO_LARGE)
        try:
            async with asyncio.timeout(self._seconds):
                message = await receive()
                if message["type"] == "http.request" and not message.get("more_body"):
                    body: bytes = message.get("body", b"")
                    if len(body) > limit:
                        raise Refused(Reason.TOO_LARGE)
                    return body
                return await self._rest(message, receive, limit)
        except TimeoutError as slow:
            raise Refused(Reason.SLOW) from slow

    async def _rest(self, message: Message, receive: Receive, limit: int) -> bytes:
        body, counted = bytearray(), 0
        try:
            while True:
                if message["type"] != "http.request":
                    raise Refused(Reason.GONE)
                body += message.get("body", b"")
                if len(body) > limit:
                    raise Refused(Reason.TOO_LARGE)
                more = max(0, len(body) - _SMALL_BYTES) - counted
                if self._held + more > _LARGE_BODIES_BYTES:
                    raise Refused(Reason.NO_ROOM)
                self._held += more
                counted += more
                if not message.get("more_body"):
                    return bytes(body)
                message = await receive()
        finally:
            self._held -= counted


def content_length(scope: Scope) -> int | None:
    """None where the sender does not say: chunked, or nothing."""
    text = header(scope, b"content-length")
    return int(text) if text and text.isdigit() else None


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of this name (lower case)."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


def headers(scope: Scope, names: frozenset[bytes]) -> dict[bytes, bytes]:
    """Those of these names that the request has; the first of each."""
    found: dict[bytes, bytes] = {}
    for key, value in scope["headers"]:
        if key in names:
            found.setdefault(key, value)
    return found


def client_address(scope: Scope, hops: int) -> str:
    """The visitor's, as the outermost of our own `hops` proxies saw it; what stands before that anybody can write."""
    peer: str = scope["client"][0] if scope.get("client") else ""
    if not hops:
        return peer
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    seen = [one.strip() for one in ",".join(lines).split(",")]
    return seen[-hops] if len(seen) >= hops and seen[-hops] else peer


def content_type(scope: Scope) -> bytes:
    """Without parameters, lower case; empty if absent."""
    return (header(scope, b"content-type") or b"").partition(b";")[0].strip().lower()
