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
_UUID, _MOMENT = (16).to_bytes(4, "big"), (8).to_bytes(4, "big")
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
    for row in rows:
        user, load_time = row.user_id, row.load_time_ms
        fields += (
            _START,
            row.organization_id.bytes,
            _MOMENT,
            ((row.created_at - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True),
            _UUID,
            row.id.bytes,
            _common(row.event_type),
            _text(row.session_id),
            _NULL if user is None else _UUID + user.bytes,
            _text(row.customer_id),
            _common(row.page_url),
            _common(row.user_agent),
            _common(row.ip_address),
            _common(row.referrer),
            _NULL if load_time is None else b"\0\0\0\4" + load_time.to_bytes(4, "big", signed=True),
            _common(row.widget_version),
            _common(row.event_data),
        )
    return b"".join(fields)


def _text(value: str | None) -> bytes:
    if value is None:
        return _NULL
    data = value.encode()
    return len(data).to_bytes(4, "big") + data


_common = lru_cache(maxsize=_REMEMBERED)(_text)
