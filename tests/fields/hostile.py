"""JSON that strangers could send: sound bodies of a model with some fields replaced by what should not be there.

Where a value can stand is derived from the models themselves: a field added to one is tried without a word here.
"""

import itertools
import json
import math
import random
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Annotated, Any, get_args, get_origin

import hypothesis
from hypothesis import strategies as st
from pydantic import BaseModel

Path = tuple[str | int, ...]
Change = tuple[Path, Any]


class Raw(str):
    """JSON text that no Python value is written as."""


def _nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


_NUMBERS = (0, -1, 1, 2, 3, 1.5, -0.0, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**20, 10**30, 3 * 10**43)
_ODD_NUMBERS = (10**4_000, -(10**20), 1e300, -1e300, 5e-324, math.nan, math.inf, Raw("1e400"), Raw("9" * 5_000))
_MOMENTS = (
    *(
        "2026-11-25T10:00:00.123Z",
        "2026-11-25T10:00:00",
        "2026-11-25",
        "2026-11-25T10:00:00+05:30",
        *("1970-01-01T00:00:00Z", "2199-12-31T23:59:59Z"),
    ),
    *("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "0000-01-01T00:00:00Z"),
    *("2199-12-31T23:59:59-01:00", "1969-12-31T23:59:59Z", "2026-13-45T99:99:99Z", "20261125T100000Z", "2026-W48-3"),
    *(1_764_000_000, 1_764_000_000.25, 7_258_118_399, 7_258_118_400, 253_402_300_800, "1764000000", "²"),
)
_TEXTS = (
    *(
        "",
        " ",
        "a",
        "\0",
        "a\0b",
        "Jan \ud83d",
        "\ude00",
        "\ud83d\ude00",
        "İ",
        "i\u0307",
        "ẞ",
        "\uffff",
        "\u202e",
        "x" * 300,
    ),
    *("é" * 300, "y" * 20_000, "null", "open", "resolved", "pending", "User", "EUR", "c1", "cust@shop.example", "\n"),
    # UUIDv7 of 1970, of 2024, of the last moment in bounds, and of no calendar
    *("00000000-0000-7000-8000-000000000001", "018f0000-0000-7000-8000-000000000001"),
    *("0699e9d5-c3ff-7000-8000-000000000001", "ffffffff-ffff-7fff-bfff-ffffffffffff"),
)
_SHAPES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        [],
        {},
        [1],
        [None],
        ["a", 1, None],
        {"": 1},
        {"id": 10**30},
        {"id": 1},
        [[]],
        [{}],
        {"a\0": "\ud83d"},
    ),
    *(_nested(20), _nested(150), _nested(300), list(range(3_000)), ["vip"] * 500, {str(n): n for n in range(3_000)}),
)
VALUES: tuple[Any, ...] = (*_NUMBERS, *_ODD_NUMBERS, *_MOMENTS, *_TEXTS, *_SHAPES)

_invented = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
values = st.sampled_from(VALUES) | _invented


def each(sound: Sequence[Any], where: Sequence[Path], chance: random.Random) -> Iterator[Any]:
    """Each of these sound bodies with each of its fields replaced by each of the hostile values, one at a time and in
    no order. Made when asked for: a copy of each costs more than all that is done with a sample of them."""
    found = list(itertools.product(sound, where, VALUES))
    chance.shuffle(found)
    return (changed(body, [(path, value)]) for body, path, value in found)


def places(model: Any, keys: Sequence[str] = ("key",)) -> list[Path]:
    """Where the fields of a model stand in its JSON; the hashes in it have these `keys`."""
    return sorted(set(_places(model, keys)), key=str)


def _places(form: Any, keys: Sequence[str]) -> Iterator[Path]:
    if isinstance(form, type) and issubclass(form, BaseModel):
        for name, field in form.model_fields.items():
            yield (name,)
            yield from ((name, *rest) for rest in _places(field.annotation, keys))
    elif get_origin(form) is tuple:
        yield (0,)
        yield from ((0, *rest) for rest in _places(get_args(form)[0], keys))
    elif get_origin(form) is dict:
        for key in keys:
            yield (key,)
            yield from ((key, *rest) for rest in _places(get_args(form)[1], keys))
    elif get_origin(form) is Annotated:
        yield from _places(get_args(form)[0], keys)
    else:
        for part in get_args(form):
            yield from _places(part, keys)


def changed(body: Any, changes: Sequence[Change]) -> Any:
    """The body with these values at these places; what stood in the way is gone."""
    whole = [deepcopy(body)]
    for path, value in changes:
        _put(whole, (0, *path), value)
    return whole[0]


def _put(where: Any, path: Path, value: Any) -> None:
    step, *rest = path
    if isinstance(where, list) and len(where) <= int(step):
        where.append(None)
    if rest:
        kind = list if isinstance(rest[0], int) else dict
        inner = where.get(step) if isinstance(where, dict) else where[int(step)]
        if not isinstance(inner, kind):
            inner = where[step] = kind()
        _put(inner, tuple(rest), value)
    else:
        where[step] = deepcopy(value)


def written(body: Any) -> bytes:
    """As JSON on the wire: half pairs as escapes, numbers of any width, NaN and all."""
    raws: list[str] = []

    def marked(value: Any) -> Any:
        if isinstance(value, Raw):
            raws.append(value)
            return f"\x01raw {len(raws) - 1}\x01"
        if isinstance(value, dict):
            return {key: marked(one) for key, one in value.items()}
        return [marked(one) for one in value] if isinstance(value, list) else value

    text = json.dumps(marked(body))
    for number, raw in enumerate(raws):
        text = text.replace(f'"\\u0001raw {number}\\u0001"', raw)
    return text.encode()


def bodies(sound: Sequence[Any], where: Sequence[Path], most: int = 3) -> st.SearchStrategy[Any]:
    """One of these sound bodies with none to so many of its fields replaced."""
    change = st.tuples(st.sampled_from(where), values)
    return st.builds(changed, st.sampled_from(sound), st.lists(change, max_size=most))


def in_batches(size: int) -> hypothesis.settings:
    """So many examples of `size` bodies each that all properties together take seconds; `make fuzz N=…` says more."""
    default = hypothesis.settings.default
    wanted = default.max_examples if default else 0
    return hypothesis.settings(max_examples=max(20, wanted // size), suppress_health_check=[*hypothesis.HealthCheck])
