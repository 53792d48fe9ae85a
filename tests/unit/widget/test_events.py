"""Whatever a browser sends becomes a row that PostgreSQL takes."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest
import uuid_utils
from hypothesis import given
from hypothesis import strategies as st

from schemas.beacons import moment
from schemas.bounds import EARLIEST, MOST_SECONDS
from services.widget.events import address, data


def test_the_moment_is_the_one_in_the_id() -> None:
    # the example of RFC 9562, appendix A.6
    assert moment(UUID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")) == datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    assert abs(moment(UUID(str(uuid_utils.uuid7()))) - datetime.now(UTC)) < timedelta(minutes=1)


@given(st.integers(0, MOST_SECONDS * 1000))
def test_a_moment_is_exact_to_the_millisecond(milliseconds: int) -> None:
    """It is part of an event's key: the same event must have the same one for ever."""
    event_id = UUID(int=milliseconds << 80 | 7 << 76 | 0b10 << 62)
    assert moment(event_id) == EARLIEST + timedelta(milliseconds=milliseconds)


@pytest.mark.parametrize("name", ["5f0c8a52-3f3e-4a53-9d3e-3a3f0f6f2b11", "ffffffff-ffff-7fff-bfff-ffffffffffff"])
def test_an_id_without_a_usable_moment_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="an event's id"):
        moment(UUID(name))


def test_data_that_is_too_deep_or_too_long_is_left_out_and_says_so() -> None:
    deep: dict[str, object] = {}
    for _ in range(100):
        deep = {"a": deep}
    assert orjson.loads(data(deep)) == {"left_out": "too deep"}
    assert orjson.loads(data({"a": "x" * 9_000})) == {"left_out": "too long"}


def test_data_is_cleaned_all_the_way_down() -> None:
    cleaned = orjson.loads(data({"a\0": [{"b": "c\0"}], "n": 2**70}))
    assert cleaned == {"a\ufffd": [{"b": "c\ufffd"}], "n": str(2**70)}


@pytest.mark.parametrize(
    ("given", "kept"), [("192.0.2.0", "192.0.2.0"), ("fe80::1%eth0", "fe80::1"), ("nonsense", None), (None, None)]
)
def test_an_address_is_one_or_nothing(given: str | None, kept: str | None) -> None:
    assert address(given) == kept
