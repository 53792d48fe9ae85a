"""What strangers send is bounded where it enters: cleaned, left out or refused, and never another exception."""

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from schemas import bounds
from schemas.values import json_text

_ANY = TypeAdapter(Any)


class Bounded(BaseModel):
    """One of each."""

    id: bounds.OrNone[bounds.Id] = None
    at: bounds.OrNone[bounds.Moment] = None
    seconds: bounds.OrNone[bounds.Seconds] = None
    share: bounds.OrNone[bounds.Finite] = None
    names: tuple[bounds.OrOmitted[bounds.Name], ...] = ()
    mark: bounds.Mark = False


@pytest.mark.parametrize(
    "value", [10**20, -1, 0, 2**31, 1e300, math.inf, math.nan, "x", None, [], {}, 1.5, "\0", 10**43]
)
def test_a_number_out_of_bounds_is_left_out(value: object) -> None:
    assert Bounded.model_validate({"id": value}).id is None


@pytest.mark.parametrize(
    "value",
    ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+05:00", "1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", 1e300],
)
def test_a_moment_out_of_bounds_is_left_out(value: object) -> None:
    assert Bounded.model_validate({"at": value}).at is None
    assert bounds.moment_in(value) is None


def test_a_naive_moment_is_meant_in_utc_and_others_are_moved_there() -> None:
    assert bounds.moment_in("2026-01-01T00:00:00") == datetime(2026, 1, 1, tzinfo=UTC)
    moved = bounds.moment(datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2))))
    assert (moved, moved.tzinfo) == (datetime(2025, 12, 31, 22, tzinfo=UTC), UTC)


@pytest.mark.parametrize("seconds", [0, None, -5, 1e300, "9" * 5000, "²", "nan", "inf", 10**400])
def test_seconds_that_name_no_moment_name_none(seconds: Any) -> None:
    assert bounds.moment_at(seconds) is None


def test_an_element_out_of_bounds_is_left_out_alone() -> None:
    assert Bounded.model_validate_json(b'{"names": ["a", 1, null, "b\\u0000"]}').names == ("a", "b\ufffd")


@pytest.mark.parametrize(
    ("mark", "present"), [(0, True), (7, True), ("x", True), ([0], True), (" ", False), ("", False), ({}, False)]
)
def test_a_mark_is_there_by_the_rule_of_rails(mark: object, present: bool) -> None:
    assert Bounded.model_validate({"mark": mark}).mark is present


@given(st.text(st.characters(), max_size=30) | st.just("a\0b\ud800c"))
def test_a_text_can_always_be_stored_and_stays_short(value: str) -> None:
    kept = bounds.text(value, 10)

    assert "\0" not in kept
    assert len(kept.encode()) <= 40


def test_wide_numbers_become_text_and_what_has_no_bounds_is_left_out() -> None:
    given = {"wide": 3 * 10**43, "wider": 10**400, "half": "Jan \ud83d", "inf": math.inf, "deep": [[[[]]]]}

    kept = bounds.json_hash(given, depth=3, elements=10, bytes_each=100, bytes_all=1_000)

    assert kept == {"wide": str(3 * 10**43), "half": "Jan \ufffd", "inf": None}


def test_a_hash_stays_within_its_elements_and_bytes() -> None:
    wide = {str(number): "x" * 50 for number in range(1_000)}

    assert len(bounds.json_hash(wide, depth=2, elements=10, bytes_each=100, bytes_all=10_000)) == 10
    kept = bounds.json_hash(wide, depth=2, elements=2_000, bytes_each=100, bytes_all=500)
    assert len(orjson.dumps(kept)) <= 600
    assert kept


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (rb'"Jan \ud83d"', "Jan \ufffd"),
        (rb'"\ude00\ud83d\ude00\ud83d"', "\ufffd\U0001f600\ufffd"),
        (rb'"\\ud83d\ude00"', "\\ud83d\ufffd"),
        (rb'"\\\ud83d"', "\\\ufffd"),
        (b'"\xff"', "\ufffd"),
        (b'["a", 1.' + b"2" * 9_000 + b"]", ["a", float("1." + "2" * 20)]),
    ],
)
def test_half_an_emoji_or_an_endless_number_does_not_cost_the_rest(body: bytes, said: object) -> None:
    assert json_text.read(_ANY.validate_json, body) == said


@pytest.mark.parametrize("body", [b"{", b"\0", b'"\\ud83d', b"[" * 100_000, b""])
def test_what_is_no_json_stays_none(body: bytes) -> None:
    with pytest.raises(ValidationError):
        json_text.read(_ANY.validate_json, body)


@given(st.binary(max_size=60) | st.text(alphabet='\\"ud83e0 ', max_size=30).map(lambda text: f'"{text}"'.encode()))
def test_mending_changes_nothing_in_sound_json(body: bytes) -> None:
    try:
        sound = _ANY.validate_json(body)
    except ValidationError:
        return
    assert repr(_ANY.validate_json(json_text.mend(body))) == repr(sound)  # NaN equals nothing, itself included
