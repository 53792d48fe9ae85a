"""Rows that PostgreSQL cannot refuse: one visitor's strange browser must not cost a batch its second try."""

import ipaddress
from typing import Any
from uuid import UUID

import orjson

from schemas.beacons import NAME_CHARACTERS, WidgetReport, moment, text

_DATA_BYTES, _DATA_DEPTH = 8 * 1024, 8
_LONGEST_LOAD_MS = 2**31 - 1


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
        event.load_time_ms if event.load_time_ms is not None and 0 <= event.load_time_ms <= _LONGEST_LOAD_MS else None,
        event.widget_version,
        data(event.event_data),
    )


def address(value: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address((value or "").partition("%")[0])
    except ValueError:
        return None


def data(value: dict[str, Any]) -> dict[str, Any]:
    """The same, cleaned; what is too deep or too long is left out as a whole and marked so."""
    if _depth(value) > _DATA_DEPTH:
        return {"left_out": "too deep"}
    clean: dict[str, Any] = _clean(value)
    return clean if len(orjson.dumps(clean)) <= _DATA_BYTES else {"left_out": "too long"}


def _depth(value: Any, so_far: int = 0) -> int:
    if so_far > _DATA_DEPTH or not isinstance(value, dict | list):
        return so_far
    inner = value.values() if isinstance(value, dict) else value
    return max((_depth(one, so_far + 1) for one in inner), default=so_far + 1)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return text(value, _DATA_BYTES)
    if isinstance(value, dict):
        return {text(key, NAME_CHARACTERS): _clean(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    return value
