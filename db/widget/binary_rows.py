"""Rows of widget events as PostgreSQL's COPY takes them in binary.

The driver does it where a batch is sent, while PostgreSQL waits; done here it is done where a record is read, while
PostgreSQL works on the batch before. The format: PostgreSQL's manual, COPY, Binary Format.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no extension
_END = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_UUID, _MOMENT, _INT = (length.to_bytes(4, "big") for length in (16, 8, 4))
_EPOCH, _MICROSECOND = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_REMEMBERED = 4_096  # pages and browsers come again and again


class WidgetEventRow(NamedTuple):
    """An event's columns; the first three are the key."""

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
    before, head = None, b""
    for (
        store,
        at,
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
        fields += (
            head,
            ((at - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True),
            _UUID,
            event.bytes,
            _common(kind),
            _text(session),
            _NULL if user is None else _UUID + user.bytes,
            _text(customer),
            _common(page),
            _common(agent),
            _common(address),
            _common(referrer),
            _NULL if load_time is None else _INT + load_time.to_bytes(4, "big", signed=True),
            _common(version),
            _common(data),
        )
    return b"".join(fields)


def _text(value: str | None) -> bytes:
    if value is None:
        return _NULL
    data = value.encode()
    return len(data).to_bytes(4, "big") + data


_common = lru_cache(maxsize=_REMEMBERED)(_text)
