"""JSON values that nobody expects, and where to put them."""

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

_MOST_PATHS = 200  # of a value that an earlier one made long
Path = tuple[str | int, ...]

# Written into the text: Python's own writers refuse them or change them.
_RAW = {
    "@huge": b"1" + b"0" * 400,
    "@wide": b"12345678901234567890123456789012345678901234",
    "@infinite": b"1e400",
    "@minute": b"1e-400",
    "@many-digits": b"0." + b"3" * 5000,
    "@surrogate": b'"\\ud83d"',
    "@nul": b'"a\\u0000b"',
    "@deep": b"[" * 2000 + b"]" * 2000,
    "@nested": b'{"a":' * 300 + b"1" + b"}" * 300,
    "@minus-zero": b"-0",
}
VALUES: tuple[Any, ...] = (
    *_RAW, None, True, False, 0, -1, 1.5, 10**20, -(10**20), 1e300, -1e300, 2**31, 2**63, 2**64, "", " ", "x" * 100_000,
    "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z", "2026-11-28T08:00:00", "9999-12-31T23:59:59-14:00", "yesterday",
    "٣", "\u202e\u0007\x1b[2J", "é" * 300, [], {}, [None], [[]], {"": None}, [10**30] * 3, {"id": 10**30}, ["a"] * 3000,
)  # fmt: skip


def paths(value: Any, above: Path = ()) -> Iterator[Path]:
    """Where there is something in it, from the outside to the inside."""
    if above:
        yield above
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*above, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*above, index))


def with_value(value: Any, path: Path, put: Any) -> Any:
    """The same with something else at this path; nothing at the empty path."""
    if not path:
        return put
    copied = deepcopy(value)
    inner = copied
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = put
    return copied


def strange(value: Any, chance: random.Random) -> bytes:
    """JSON with one to three strange values somewhere in it."""
    for _ in range(chance.randrange(1, 4)):
        value = with_value(value, chance.choice([*paths(value), ()][:_MOST_PATHS]), chance.choice(VALUES))
    return text(value)


def text(value: Any) -> bytes:
    """JSON text, the raw values written as they are."""
    written = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    for name, raw in _RAW.items():
        written = written.replace(b'"' + name.encode() + b'"', raw)
    return written
