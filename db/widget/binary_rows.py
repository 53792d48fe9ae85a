"""Rows of widget events as PostgreSQL's COPY takes them in binary.

The driver does it where a batch is sent, while PostgreSQL waits; done here it is done where a record is read, while
PostgreSQL works on the batch before. The format: PostgreSQL's manual, COPY, Binary Format.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar
from uuid import UUID

K = TypeVar("K")
V = TypeVar("V")
_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no extension
_END = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_UUID, _MOMENT, _INT = (length.to_bytes(4, "big") for length in (16, 8, 4))
_EPOCH_MS = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1000
_ID_BITS = 80  # of a UUIDv7 behind its milliseconds
_REMEMBERED = 4_096  # pages and browsers come again and again


class Remembered(dict[K, V]):
    """What `function` makes of values that come again and again; found in a third of the time that lru_cache takes."""

    def __init__(self, function: Callable[[K], V]) -> None:
        self._function = function

    def __missing__(self, value: K) -> V:
        if len(self) >= _REMEMBERED:
            self.clear()
        self[value] = result = self._function(value)
        return result


class WidgetEventRow(NamedTuple):
    """An event's columns; the first three are the key. `id` is a UUIDv7, and `created_at` the moment in it."""

    organization_id: UUID
    created_at: datetime
    id: UUID
    event_type: str
    session_id: str | None
    user_id: UUID | None
    customer_id: str | None
    page_url: str | None
    user_agent: str | None
    ip_address: str | None  # as inet reads it
    referrer: str | None
    load_time_ms: int | None
    widget_version: str | None
    event_data: str  # JSON


_START = len(WidgetEventRow._fields).to_bytes(2, "big") + _UUID


def stream(pieces: Iterable[bytes]) -> bytearray:
    """What COPY is given: rows as `encoded` made them, in any number of pieces."""
    return bytearray().join((_HEAD, *pieces, _END))


def encoded(rows: Iterable[WidgetEventRow]) -> bytes:
    """These rows, field by field: its length, or that there is none, and what it holds."""
    fields: list[bytes] = []
    before, head, common = None, b"", _common
    # by place, as the columns stand: it is done for each event
    for (
        store,
        _,
        event,
        kind,
        session,
        user,
        customer,
        page,
        agent,
        address,
        referrer,
        load_time,
        version,
        data,
    ) in rows:
        if store is not before:  # a post's rows are all of one
            before, head = store, _START + store.bytes + _MOMENT
        number = event.int
        fields += (
            head,
            (((number >> _ID_BITS) - _EPOCH_MS) * 1000).to_bytes(8, "big", signed=True),
            _UUID,
            number.to_bytes(16, "big"),
            common[kind],
            _NULL if session is None else _text(session),
            _NULL if user is None else _UUID + user.bytes,
            _NULL if customer is None else _text(customer),
            common[page],
            common[agent],
            common[address],
            common[referrer],
            _NULL if load_time is None else _INT + load_time.to_bytes(4, "big", signed=True),
            common[version],
            common[data],
        )
    return b"".join(fields)


def _text(value: str) -> bytes:
    data = value.encode()
    return len(data).to_bytes(4, "big") + data


def _text_or_null(value: str | None) -> bytes:
    return _NULL if value is None else _text(value)


_common = Remembered(_text_or_null)
