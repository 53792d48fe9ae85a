"""Posts of visitors' browsers as the door keeps them: of given events, and in any number, by chance."""

import random
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson

from schemas.topics import WIDGET_EVENTS
from services.kernel import Record

_TYPES = ("page_viewed", "widget_loaded", "widget_opened", "message_sent", "conversation_started", "cart_updated")
_WEIGHTS = (60, 25, 7, 3, 1, 4)
_PAGES = tuple(
    f"https://shop.example/{part}"
    for part in ("", "cart", "checkout", "nl/search", *(f"products/bed-{number}" for number in range(200)))
)
_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari",
    "Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Safari/604.1",
)
# A page that stays open sends a few at a time, one that was offline many.
_SIZES = (1, 1, 2, 2, 3, 3, 4, 5, 6, 8, 13, 40, 100)
_ID_BITS = 80


def accepted(
    store: uuid.UUID,
    events: Sequence[dict[str, Any]],
    *,
    received_at: datetime,
    key: bytes = b"",
    topic: str = WIDGET_EVENTS.name,
) -> Record:
    """One post of these events, as the door keeps it."""
    return Record.accepted(
        topic, key=key, value=orjson.dumps(events), store=store, event="beacon", origin="beacon",
        received_at=received_at,
    )  # fmt: skip


class Posts:
    """Of one seed the same each time; ids are unique, moments lie within an hour before `now`."""

    def __init__(self, seed: int, stores: Sequence[uuid.UUID], now: datetime, topic: str = WIDGET_EVENTS.name) -> None:
        self._chance = random.Random(seed)
        self._stores = stores
        self._now = now
        self._topic = topic
        self._now_ms = int(now.timestamp() * 1000)

    def event(self, **fields: Any) -> dict[str, Any]:
        chance = self._chance
        (kind,) = chance.choices(_TYPES, _WEIGHTS)
        milliseconds = self._now_ms - chance.randrange(3_600_000)
        # version 7, variant 0b10, the rest by chance
        low = chance.getrandbits(62) | 0b10 << 62
        number = milliseconds << _ID_BITS | 7 << 76 | chance.getrandbits(12) << 64 | low
        return {
            "id": str(uuid.UUID(int=number)),
            "event_type": kind,
            "session_id": f"s{chance.randrange(10**9)}",
            "customer_id": f"c{chance.randrange(10_000)}" if chance.random() < 0.1 else None,
            "user_id": None,
            "page_url": chance.choice(_PAGES),
            "user_agent": chance.choice(_AGENTS),
            "ip_address": f"192.0.{chance.randrange(256)}.0",
            "referrer": chance.choice(_PAGES) if chance.random() < 0.5 else None,
            "load_time_ms": int(chance.lognormvariate(6.2, 0.6)) if kind == "widget_loaded" else None,
            "widget_version": "1",
            "event_data": {"value_minor": 12_550, "currency": "EUR", "items": 3} if kind == "cart_updated" else {},
        } | fields

    def record(self, events: Sequence[dict[str, Any]]) -> Record:
        """One accepted post of these events."""
        of = self._chance.choice(self._stores)
        session = f"{of}:{self._chance.getrandbits(64):016x}"
        return accepted(of, events, received_at=self._now, key=session.encode(), topic=self._topic)

    def records(self, events: int) -> Iterator[tuple[Record, int]]:
        """Records with so many events in all, each with the number of its events."""
        while events > 0:
            size = min(self._chance.choice(_SIZES), events)
            yield self.record([self.event() for _ in range(size)]), size
            events -= size
