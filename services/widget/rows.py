"""Rows that PostgreSQL cannot refuse: one visitor's strange browser must not cost a batch its second try."""

import ipaddress
from typing import Any
from uuid import UUID

import orjson

from schemas.beacons import WidgetReport, moment
from schemas.bounds import json_value

_DATA_BYTES, _DATA_DEPTH = 8 * 1024, 8


def row(store: UUID, event: WidgetReport) -> tuple[Any, ...]:
    """As the table has it; the first three columns are the key."""
    return (
        store,
        moment(event.id),
        event.id,
        event.event_type,
        event.session_id,
        event.user_id,
        event.customer_id,
        event.page_url,
        event.user_agent,
        address(event.ip_address),
        event.referrer,
        event.load_time_ms,
        event.widget_version,
        data(event.event_data),
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
