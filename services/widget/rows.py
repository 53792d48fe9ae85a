"""Rows that PostgreSQL cannot refuse: one visitor's strange browser must not cost a batch its second try."""

import ipaddress
from typing import Any
from uuid import UUID

import orjson

from db.widget import WidgetEventRow
from schemas.beacons import WidgetReport, moment
from schemas.bounds import json_value

_DATA_BYTES, _DATA_DEPTH = 8 * 1024, 8


def row(store: UUID, event: WidgetReport) -> WidgetEventRow:
    """As the table has it."""
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
