"""Chatwoot's filters: a list of conditions, joined by AND and OR as in SQL."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from local.chatwoot.errors import unprocessable
from local.chatwoot.model.rows import JsonObject

Filtered = TypeVar("Filtered")

_OPERATORS: dict[str, Callable[[str, list[str]], bool]] = {
    "equal_to": lambda held, values: held in values,
    "not_equal_to": lambda held, values: held not in values,
    "contains": lambda held, values: any(value in held for value in values),
    "is_greater_than": lambda held, values: held > values[0],
    "is_less_than": lambda held, values: held < values[0],
}


def select(
    rows: Iterable[Filtered], conditions: list[JsonObject], *, known: set[str], value: Callable[[Filtered, str], Any]
) -> list[Filtered]:
    """Rows that meet the conditions; 422 for attributes and operators that nobody knows."""
    for one in conditions:
        if one.get("attribute_key") not in known:
            unprocessable(f"Invalid attribute key - [{one.get('attribute_key')}]")
        if one.get("filter_operator") not in _OPERATORS:
            unprocessable("Invalid operator")
    groups = [
        [(one["attribute_key"], _OPERATORS[one["filter_operator"]], _folded_all(one)) for one in group]
        for group in _groups(conditions)
    ]
    return [
        row
        for row in rows
        if any(all(meets(_folded(value(row, key)), wanted) for key, meets, wanted in group) for group in groups)
    ]


def _groups(conditions: list[JsonObject]) -> list[list[JsonObject]]:
    """AND binds closer than OR; each condition names the word that follows it."""
    groups: list[list[JsonObject]] = [[]]
    for one in conditions:
        groups[-1].append(one)
        if str(one.get("query_operator") or "").upper() == "OR":
            groups.append([])
    return [group for group in groups if group]


def _folded_all(condition: JsonObject) -> list[str]:
    return [_folded(one) for one in condition.get("values") or ()]


def _folded(value: Any) -> str:
    """As text in lower case; moments as ISO dates, which compare as they follow each other."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else str(value).lower()
