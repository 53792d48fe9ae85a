"""A line of a CSV file → the events that the shop would have sent. Columns are known by name, in any order.

The same line is always the same events, with the same ids: whatever is read twice has its effect once.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from schemas.values.money import digits
from schemas.values.sheet_cells import unguarded
from services.customers.events import IMPORTED
from services.customers.orders import CANCELLED, PAID, PLACED, REFUNDED

CUSTOMER_COLUMNS = (
    "customer_id", "email", "phone", "name", "preferred_language", "marketing_consent", "registered_at", "updated_at",
)  # fmt: skip
ORDER_COLUMNS = (
    "order_id", "customer_id", "currency", "amount", "placed_at", "paid_at", "refunded_amount", "refunded_at",
    "cancelled_at", "order_number", "order_url", "categories",
)  # fmt: skip
_NEEDED = {CUSTOMER_COLUMNS: ("customer_id",), ORDER_COLUMNS: ("order_id", "customer_id", "placed_at")}
_BETWEEN = "|"  # of several categories in one cell
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_CELL_CHARACTERS = 4_000
_AMOUNT = re.compile(r"[0-9]{1,14}(\.[0-9]{1,9})?")  # no exponent: 1e999999999 is a gigabyte of digits
Events = Callable[[Mapping[str, str], datetime], Iterator[dict[str, Any]]]


class BadLine(Exception):
    """This line is skipped: why, in words for whoever wrote the file."""


def reader_of(header: list[str]) -> Events:
    """What reads the lines below this header. Raises BadLine where it is neither of customers nor of orders."""
    names = set(header)
    columns = ORDER_COLUMNS if "order_id" in names else CUSTOMER_COLUMNS
    if absent := [name for name in _NEEDED[columns] if name not in names]:
        raise BadLine(f"the first line must name the columns; it lacks {', '.join(absent)}")
    if unknown := sorted(names - set(columns)):
        raise BadLine(f"no such column: {', '.join(unknown)}; there are: {', '.join(columns)}")
    if len(header) != len(names):
        raise BadLine("a column is named twice")
    return _order if columns is ORDER_COLUMNS else _customer


def _customer(cells: Mapping[str, str], as_of: datetime) -> Iterator[dict[str, Any]]:
    data: dict[str, Any] = {
        name: _cell(cells, name) for name in ("customer_id", "email", "phone", "name", "preferred_language")
    }
    data["marketing_consent"] = _truth(cells)
    data["registered_at"] = _moment(cells, "registered_at")
    yield _event("customer.updated", cells, _moment(cells, "updated_at") or as_of.isoformat(), data)


def _order(cells: Mapping[str, str], _as_of: datetime) -> Iterator[dict[str, Any]]:
    currency = _cell(cells, "currency")
    data: dict[str, Any] = {name: _cell(cells, name) for name in ("customer_id", "order_id")}
    price = {"amount_minor": _minor(cells, "amount", currency), "currency": currency}
    shown: dict[str, Any] = {name: _cell(cells, name) for name in ("order_number", "order_url")}
    if categories := _cell(cells, "categories"):
        shown["categories"] = [one.strip() for one in categories.split(_BETWEEN) if one.strip()]
    yield _event(PLACED, cells, _moment(cells, "placed_at"), data | price | shown)
    if paid_at := _moment(cells, "paid_at"):
        yield _event(PAID, cells, paid_at, data | price)
    if refunded_at := _moment(cells, "refunded_at"):
        returned = _minor(cells, "refunded_amount", currency)
        part = {} if returned is None else {"amount_minor": returned, "currency": currency}
        yield _event(REFUNDED, cells, refunded_at, data | part)
    elif _cell(cells, "refunded_amount"):
        raise BadLine("refunded_amount needs refunded_at")
    if cancelled_at := _moment(cells, "cancelled_at"):
        yield _event(CANCELLED, cells, cancelled_at, data)


def _event(kind: str, cells: Mapping[str, str], time: str | None, data: Mapping[str, Any]) -> dict[str, Any]:
    if time is None:
        raise BadLine("placed_at is empty")
    digest = hashlib.sha256(orjson.dumps(sorted(cells.items()))).hexdigest()[:32]
    said = {name: value for name, value in data.items() if value is not None}
    return {
        "specversion": "1.0",
        "id": f"{digest}/{kind}",
        "source": IMPORTED,
        "type": kind,
        "time": time,
        "data": said,
    }


def _cell(cells: Mapping[str, str], name: str) -> str | None:
    text = unguarded(cells.get(name, "").strip())
    if len(text) > _CELL_CHARACTERS:
        raise BadLine(f"{name} is longer than {_CELL_CHARACTERS} characters")
    return text or None


def _truth(cells: Mapping[str, str]) -> bool | None:
    text = _cell(cells, "marketing_consent")
    if text is None:
        return None
    if text.lower() not in _TRUTHS:
        raise BadLine(f"marketing_consent is {text[:20]!r}: write true or false, or leave it empty")
    return _TRUTHS[text.lower()]


def _moment(cells: Mapping[str, str], name: str) -> str | None:
    """With its zone; a time without one may be any of two dozen moments."""
    if (text := _cell(cells, name)) is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as cause:
        raise BadLine(f"{name} is {text[:40]!r}: write it as 2026-11-01T09:00:00+01:00") from cause
    if moment.tzinfo is None:
        raise BadLine(f"{name} is {text[:40]!r}, without a zone: write it as 2026-11-01T09:00:00+01:00")
    return moment.isoformat()


def _minor(cells: Mapping[str, str], name: str, currency: str | None) -> int | None:
    """Whole minor units of an amount like 1234.50: never a float."""
    if (text := _cell(cells, name)) is None:
        return None
    if currency is None:
        raise BadLine(f"{name} needs a currency, like EUR")
    if not _AMOUNT.fullmatch(text):
        raise BadLine(f"{name} is {text[:20]!r}: write it as 1234.50")
    minor = Decimal(text).scaleb(digits(currency))
    if minor != minor.to_integral_value():
        raise BadLine(f"{name} is {text[:20]!r}: {currency} has {digits(currency)} decimals")
    return int(minor)
