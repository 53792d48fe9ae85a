"""Rows that PostgreSQL cannot refuse: one visitor's strange browser must not cost a batch its second try."""

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from schemas.beacons import WidgetReport

_TIME_ORDERED = 7
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME_CHARACTERS, _URL_CHARACTERS = 255, 2048
_DATA_BYTES, _DATA_DEPTH = 8 * 1024, 8
_LONGEST_LOAD_MS = 2**31 - 1


def moment(event_id: UUID) -> datetime:
    """When it happened, by the visitor's clock as the door admitted it: the first 48 bits of a UUIDv7.

    Raises ValueError for other UUIDs, and for moments that no calendar has.
    """
    if event_id.version != _TIME_ORDERED:
        raise ValueError("an event's id is no UUIDv7")
    try:
        return _EPOCH + timedelta(milliseconds=event_id.int >> 80)
    except OverflowError as cause:
        raise ValueError("an event's id lies thousands of years ahead") from cause


def row(store: UUID, event: WidgetReport) -> tuple[Any, ...]:
    """As the table has it; the first three columns are the key."""
    return (
        store,
        moment(event.id),
        event.id,
        event.event_type,
        text(event.session_id, _NAME_CHARACTERS),
        event.user_id,
        text(event.customer_id, _NAME_CHARACTERS),
        text(event.page_url, _URL_CHARACTERS),
        text(event.user_agent, _URL_CHARACTERS),
        address(event.ip_address),
        text(event.referrer, _URL_CHARACTERS),
        event.load_time_ms if event.load_time_ms is not None and 0 <= event.load_time_ms <= _LONGEST_LOAD_MS else None,
        text(event.widget_version, _NAME_CHARACTERS),
        data(event.event_data),
    )


def text(value: str | None, characters: int) -> str | None:
    """Without NUL and lone surrogates, which PostgreSQL's text cannot hold, and no longer than that."""
    if value is None:
        return None
    whole = value[:characters].replace("\0", "\ufffd")
    return whole.encode("utf-8", "replace").decode() if any("\ud800" <= one <= "\udfff" for one in whole) else whole


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
        return {text(key, _NAME_CHARACTERS): _clean(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    return value
