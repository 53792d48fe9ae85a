"""Messages that come again: a sender who did not hear our answer gets the same one, and nothing is published twice.

By process, as far as its memory goes. Beyond that, and for the same message twice at the same moment, the content keys
of those who read the topic are the net: an event's id has its effect once.
"""

import hashlib
from collections import OrderedDict
from uuid import UUID

from services.ingress.doors.answer import DoorAnswer
from services.kernel import Clock

# About 4 MB, and more only where many stores send at once: then each has its share of it.
_MOST = 16_384
_FEW_STORES = 16
_LONGEST_ANSWER = 1_024


def message_of(name: bytes, body: bytes) -> bytes:
    """One message. Senders who give every message the same id are not silenced by it: the body belongs to it."""
    return hashlib.blake2b(name + b"\0" + body, digest_size=16).digest()


class Repeats:
    """What was answered to whom, for so many seconds; a store's flood forgets its own messages and nobody else's."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        # Stores and each one's messages in the order in which they were last written.
        self._stores: OrderedDict[UUID, OrderedDict[bytes, tuple[float, DoorAnswer]]] = OrderedDict()

    def answered(self, store: UUID, message: bytes) -> DoorAnswer | None:
        """What this message was answered before."""
        known = self._stores.get(store)
        until, answer = known.get(message, (0.0, None)) if known else (0.0, None)
        return answer if until > self._clock.monotonic() else None

    def remember(self, store: UUID, message: bytes, answer: DoorAnswer) -> None:
        if answer.length > _LONGEST_ANSWER:
            return
        now = self._clock.monotonic()
        self._forget(now)
        mine = self._stores.setdefault(store, OrderedDict())
        self._stores.move_to_end(store)
        mine[message] = (now + self._seconds, answer)
        mine.move_to_end(message)
        most = _MOST // max(len(self._stores), _FEW_STORES)
        while len(mine) > most or next(iter(mine.values()))[0] <= now:
            mine.popitem(last=False)

    def _forget(self, now: float) -> None:
        """Stores of which nothing came for so long."""
        while self._stores:
            store, messages = next(iter(self._stores.items()))
            if next(reversed(messages.values()))[0] > now:
                return
            del self._stores[store]
