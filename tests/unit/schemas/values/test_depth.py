"""Depth is judged by brackets outside strings, in time that no text can make more than linear."""

import random

import orjson
import pytest

from schemas.values.depth import MOST_LEVELS, too_deep, too_many


def nested(levels: int) -> bytes:
    return b'{"a":[' * (levels // 2) + b"[" * (levels % 2) + b"]" * (levels % 2) + b"]}" * (levels // 2)


@pytest.mark.parametrize("levels", [MOST_LEVELS - 1, MOST_LEVELS, MOST_LEVELS + 1, 1_000, 10**6])
def test_so_many_levels_are_too_many(levels: int) -> None:
    assert too_deep(nested(levels)) == (levels > MOST_LEVELS)
    assert too_deep(b"[%b,%b]" % (b"[{}]," * 10**4 + b"0", nested(levels - 1))) == (levels > MOST_LEVELS)


@pytest.mark.parametrize(
    "text",
    [
        b'["' + b"[" * 1_000 + b'"]',
        rb'["\"' + b"[" * 1_000 + b'"]',
        b"[" + b",".join([b'{"a":[]}'] * 1_000) + b"]",
        b'"' + rb"\"" * 10**6 + b"[" * 1_000,
        b'["\\',
    ],
)
def test_brackets_within_strings_and_beside_each_other_are_not_deep(text: bytes) -> None:
    assert not too_deep(text)


def test_a_string_that_ends_in_a_backslash_hides_nothing() -> None:
    assert too_deep(rb'["\\",' + b"[" * 1_000)


def test_depth_is_that_of_what_the_text_means() -> None:
    chance = random.Random(7)

    def value(levels: int) -> object:
        if not levels:
            return chance.choice(['[{"', "\\", '\\"', 1, None, []])
        inner = [value(levels - 1), value(chance.randrange(levels))]
        return inner if chance.random() < 0.5 else {'"[': inner[0], "]\\": inner[1]}

    def depth(one: object) -> int:
        if not isinstance(one, dict | list):
            return 0
        return 1 + max(map(depth, one.values() if isinstance(one, dict) else one), default=0)

    for _ in range(200):
        made = value(chance.randrange(9))
        for most in range(10):
            assert too_deep(orjson.dumps(made), most) == (depth(made) > most)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (b"[" + b"[]," * 99 + b"0]", 199),
        (b'{"a":1,"b":{"c":[]}}', 4),
        (b'["' + b"," * 1_000 + b'"]', 1),
        (rb'["\"' + b"," * 1_000 + rb'\\",1]', 2),
        (b"," * 1_000, 1_000),
    ],
)
def test_values_are_counted_where_they_begin(text: bytes, values: int) -> None:
    assert too_many(text, values - 1)
    assert not too_many(text, values)
