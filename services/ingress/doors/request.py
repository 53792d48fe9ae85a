"""What a door reads of a request: its headers and, within limits of size and time, its body."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from starlette.types import Message, Receive, Scope

from services.ingress.doors.refusals import Reason, Refused
from services.kernel import Clock
from services.kernel.publishing.lanes import BATCH_BYTES
from services.kernel.web.addresses import sender_of
from services.kernel.web.exchange import LATE

WEBHOOK_BYTES = 4 * 1024 * 1024
BEACON_BYTES = 64 * 1024
EVENTS_BYTES = 1024 * 1024
# A body up to this size is bounded by the number of connections; what lies above shares one allowance.
_SMALL_BYTES = 64 * 1024
_LARGE_BODIES_BYTES = 96 * 1024 * 1024
# A megabyte holds the loop for 4 ms, of short values for 8: other stores have four times that before the next one's.
_OTHERS_SECONDS_A_BYTE = 0.020 / 2**20

RequestHeaders = dict[bytes, bytes]


# In a request's scope: until when it is answered, by the monotonic clock.
DEADLINE = "wootstream.deadline"
# In a request's scope: what it counts as a large body, and whose.
_LARGE, _SENDER = "wootstream.large", "wootstream.sender"


class Bodies:
    """Reads bodies. What exceeds a small body counts until its request is answered, so that neither a thousand slow
    senders nor a slow Kafka can fill the memory. Of the allowance a sender has no more than he leaves free: one fills
    half of it, the next one half of the rest. Behind `hops` proxies a sender is whom they saw.

    What is waited for its body does not count towards a request's deadline: Chatwoot's patience begins when it has sent
    all of its request (5 s for a read), and what we wait for otherwise, as a look-up, is ours.
    """

    def __init__(self, clock: Clock, hops: int) -> None:
        self._clock = clock
        self._hops = hops
        self._held = 0
        self._held_by: Counter[str] = Counter()
        self._turns: WeakValueDictionary[uuid.UUID, asyncio.Lock] = WeakValueDictionary()

    def end(self, scope: Scope) -> None:
        """It is answered, whether its body was read or not."""
        if _LARGE in scope:
            self._hold(scope[_SENDER], -scope.pop(_LARGE))

    async def read(self, scope: Scope, given: RequestHeaders, receive: Receive, limit: int) -> bytes:
        """The whole body. Raises Refused: TOO_LARGE, SLOW, GONE, or NO_ROOM while large bodies fill their share."""
        length = given.get(b"content-length", b"")
        if length.isdigit() and int(length) > limit:
            raise Refused(Reason.TOO_LARGE)
        began = self._clock.monotonic()
        message = await receive()
        if message["type"] != "http.request" or message.get("more_body"):
            body = await self._rest(scope, message, receive, limit)
        else:
            body = message.get("body", b"")
            if len(body) > limit:
                raise Refused(Reason.TOO_LARGE)
        scope[DEADLINE] += self._clock.monotonic() - began
        return body

    @asynccontextmanager
    async def turn(self, store: uuid.UUID, body: bytes, deadline: float) -> AsyncIterator[None]:
        """A store's bodies that would fill a batch are judged and kept one after the other, others' in between.

        Raises Refused: NO_ROOM, where its turn does not come by the deadline.
        """
        if len(body) <= BATCH_BYTES:
            yield
            return
        turn = self._turns.setdefault(store, asyncio.Lock())
        try:
            async with asyncio.timeout(deadline - self._clock.monotonic()):
                await turn.acquire()
        except TimeoutError:
            raise Refused(Reason.NO_ROOM) from None
        try:
            yield
        finally:
            asyncio.get_running_loop().call_later(len(body) * _OTHERS_SECONDS_A_BYTE, turn.release)

    async def _rest(self, scope: Scope, message: Message, receive: Receive, limit: int) -> bytes:
        body = bytearray()
        while True:
            if message["type"] != "http.request":
                raise Refused(Reason.GONE)
            body += message.get("body", b"")
            if len(body) > limit:
                raise Refused(Reason.TOO_LARGE)
            self._count(scope, max(0, len(body) - _SMALL_BYTES))
            if not message.get("more_body"):
                return bytes(body)
            if LATE in scope:
                raise Refused(Reason.SLOW)
            message = await receive()

    def _count(self, scope: Scope, size: int) -> None:
        more = size - scope.get(_LARGE, 0)
        if not more:
            return
        if _SENDER not in scope:
            scope[_SENDER] = sender_of(scope, self._hops)
        if self._held_by[scope[_SENDER]] + more > _LARGE_BODIES_BYTES - self._held - more:
            raise Refused(Reason.NO_ROOM)
        self._hold(scope[_SENDER], more)
        scope[_LARGE] = size

    def _hold(self, whose: str, more: int) -> None:
        self._held += more
        self._held_by[whose] += more
        if not self._held_by[whose]:
            del self._held_by[whose]


def headers(scope: Scope) -> RequestHeaders:
    """By name, lower case; of one that comes twice, the last."""
    return dict(scope["headers"])


def content_type(given: RequestHeaders) -> bytes:
    """Without parameters, lower case; empty if absent."""
    return given.get(b"content-type", b"").partition(b";")[0].strip().lower()
