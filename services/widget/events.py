"""One accepted POST of a visitor's browser → its rows."""

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from db.widget import WidgetEventRow
from schemas.beacons import WidgetReport, moment
from schemas.bounds import json_value
from schemas.values import json_text
from services.kernel import Invalid, Record

_OLDEST, _AHEAD = timedelta(days=27), timedelta(days=62)  # of months that have a partition, whatever their length
_REPORTS = TypeAdapter(tuple[WidgetReport, ...])
_DATA_BYTES, _DATA_DEPTH = 8 * 1024, 8


@dataclass(frozen=True, slots=True)
class WidgetPost:
    """One accepted POST and its rows."""

    record: Record
    rows: tuple[WidgetEventRow, ...]


def read(record: Record) -> WidgetPost | None:
    """The door judged each event already: what does not fit here is no event at all."""
    reports = json_text.read(_REPORTS.validate_json, record.value)
    if not reports:
        return None
    rows = tuple(row(record.store, one) for one in reports)
    received_at = record.received_at
    # Foreign writers are not judged by the door, and a month that nobody spoke of has no partition.
    if not all(received_at - _OLDEST <= one.created_at <= received_at + _AHEAD for one in rows):
        raise Invalid("an event's id names a moment far from when it was received")
    return WidgetPost(record, rows)


def row(store: UUID, event: WidgetReport) -> WidgetEventRow:
    """As PostgreSQL cannot refuse it: one visitor's strange browser must not cost a batch its second try."""
    return WidgetEventRow(
        organization_id=store,
        created_at=moment(event.id),
        id=event.id,
        event_type=event.event_type,
        session_id=event.session_id,
        user_id=event.user_id,
        customer_id=event.customer_id,
        page_url=event.page_url,
        user_agent=event.user_agent,
        ip_address=address(event.ip_address),
        referrer=event.referrer,
        load_time_ms=event.load_time_ms,
        widget_version=event.widget_version,
        event_data=data(event.event_data),
    )


def address(value: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    # A link-local address may carry the visitor's own interface after a percent sign, which inet does not take.
    try:
        return ipaddress.ip_address((value or "").partition("%")[0])
    except ValueError:
        return None


def data(value: dict[str, Any]) -> dict[str, Any]:
    """The same, cleaned; what is out of bounds is left out as a whole and marked so."""
    try:
        clean: dict[str, Any] = json_value(value, depth=_DATA_DEPTH, elements=_DATA_BYTES)
    except ValueError as reason:
        return {"left_out": str(reason)}
    return clean if len(orjson.dumps(clean)) <= _DATA_BYTES else {"left_out": "too long"}
