"""What may be shown of a record without showing a person: names and shapes, never what stands in them."""

import re
from typing import Any

import orjson

# Set by our own doors, and about the delivery alone.
_OUR_HEADERS = {"event", "store", "id", "received-at", "origin", "chatwoot-timestamp", "chatwoot-delivery"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}")
# Enough to see what is wrong with a webhook's shape, and a screenful at most.
_DEEPEST, _LONGEST = 12, 20


def redacted(value: bytes) -> Any:
    """The value's JSON with every text and number replaced by its kind; of what is no JSON only the size."""
    try:
        return _shape(orjson.loads(value), _DEEPEST)
    except orjson.JSONDecodeError:
        return f"<{len(value)} bytes, not JSON>"


def header(name: str, text: str) -> str:
    """The headers of our own doors as they are, others by their length."""
    return text if name in _OUR_HEADERS else f"<text of {len(text)}>"


def _shape(one: Any, depth: int) -> Any:
    if isinstance(one, dict):
        if depth == 0:
            return f"<object of {len(one)}>"
        return {_name(name, number): _shape(value, depth - 1) for number, (name, value) in enumerate(one.items())}
    if isinstance(one, list):
        if depth == 0:
            return f"<list of {len(one)}>"
        more = [f"<{len(one) - _LONGEST} more>"] if len(one) > _LONGEST else []
        return [_shape(value, depth - 1) for value in one[:_LONGEST]] + more
    if isinstance(one, str):
        return f"<text of {len(one)}>"
    return one if one is None or isinstance(one, bool) else "<number>"


def _name(name: str, number: int) -> str:
    """A key that is no plain name may be somebody's address."""
    return name if _NAME.fullmatch(name) else f"<key {number}>"
