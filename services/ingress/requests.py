"""What a door reads of a request: its headers and, within limits of size and time, its body."""

from starlette.types import Message, Receive, Scope

from services.ingress.refusals import Reason, Refused
from services.kernel.web.exchange import LATE

WEBHOOK_BYTES = 4 * 1024 * 1024
BEACON_BYTES = 64 * 1024
EVENTS_BYTES = 1024 * 1024
# A body up to this size is bounded by the number of connections; what lies above shares one allowance.
_SMALL_BYTES = 64 * 1024
_LARGE_BODIES_BYTES = 64 * 1024 * 1024

Headers = dict[bytes, bytes]


class Bodies:
    """Reads bodies. What exceeds a small body is counted, so that a thousand slow senders cannot fill the memory."""

    def __init__(self) -> None:
        self._held = 0

    async def read(self, scope: Scope, given: Headers, receive: Receive, limit: int) -> bytes:
        """The whole body. Raises Refused: TOO_LARGE, SLOW, GONE, or NO_ROOM while large bodies fill their share."""
        length = given.get(b"content-length", b"")
        if length.isdigit() and int(length) > limit:
            raise Refused(Reason.TOO_LARGE)
        message = await receive()
        if message["type"] != "http.request" or message.get("more_body"):
            return await self._rest(scope, message, receive, limit)
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise Refused(Reason.TOO_LARGE)
        return body

    async def _rest(self, scope: Scope, message: Message, receive: Receive, limit: int) -> bytes:
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
                if LATE in scope:
                    raise Refused(Reason.SLOW)
                message = await receive()
        finally:
            self._held -= counted


def headers(scope: Scope) -> Headers:
    """By name, lower case; of one that comes twice, the last."""
    return dict(scope["headers"])


def content_type(given: Headers) -> bytes:
    """Without parameters, lower case; empty if absent."""
    return given.get(b"content-type", b"").partition(b";")[0].strip().lower()
