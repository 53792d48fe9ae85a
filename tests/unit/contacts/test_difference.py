"""Only what differs is sent, and only what we wrote is removed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contacts.difference import difference

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab€", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
_HASH = st.dictionaries(st.sampled_from("abcdef"), _JSON, max_size=6)


def test_attributes_that_chatwoot_has_are_not_sent_again() -> None:
    held = {"order_count": 4, "total_spent": "€2,450.00", "by_others": [1]}
    assert not difference({"order_count": 4, "total_spent": "€2,450.00"}, held)


@pytest.mark.parametrize(
    ("wanted", "held", "same"),
    [
        (4, 4.0, True),
        (True, 1, False),
        (0, False, False),
        ("4", 4, False),
        (["beds", "storage"], ["beds", "storage"], True),
        (["beds", "storage"], ["storage", "beds"], False),
        ([True], [1], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ("€450.00", None, False),
    ],
)
def test_values_are_compared_as_json(wanted: Any, held: Any, same: bool) -> None:
    assert bool(difference({"key": wanted}, {"key": held})) is not same


def test_a_value_that_is_gone_is_removed_only_where_we_had_written_it() -> None:
    found = difference(
        {"last_order_date": None}, {"last_order_date": "2026-01-01", "vip": True}, written=["last_order_date"]
    )
    assert found.removed == ("last_order_date",)
    assert not difference({"last_order_date": None}, {"last_order_date": "2026-01-01"})


def test_a_key_that_left_the_allow_list_is_removed_from_chatwoot() -> None:
    found = difference({}, {"total_spent": "€1.00"}, written=["total_spent"])
    assert (dict(found.changed), found.removed) == ({}, ("total_spent",))


@given(wanted=_HASH, held=_HASH, written=st.sets(st.sampled_from("abcdef")))
def test_what_is_sent_makes_chatwoot_hold_what_is_wanted(
    wanted: dict[str, Any], held: dict[str, Any], written: set[str]
) -> None:
    """Chatwoot merges by key and removes what it is told to; then nothing is left to send."""
    sent = difference(wanted, held, written=written)
    after = {key: value for key, value in (held | dict(sent.changed)).items() if key not in sent.removed}
    assert not difference(wanted, after, written=(written | set(sent.changed)) - set(sent.removed))
    assert {key: held[key] for key in held.keys() - wanted.keys() - written} == {
        key: after[key] for key in held.keys() - wanted.keys() - written
    }
