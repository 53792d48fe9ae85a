"""What is shown of a record holds no word and no number that a person said."""

import re
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from services.control.dead_letters.redacted import header, redacted

_MARK = "§"  # in every text and key of a person, in none of ours
_WORDS = st.text(max_size=12).map(lambda text: _MARK + text.encode("utf-8", "ignore").decode())
_LEAVES = _WORDS | st.integers(1_000, 9_999) | st.booleans() | st.none()
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.just("name") | _WORDS, inner),
    max_leaves=40,
)


@given(_VALUES)
def test_no_text_number_or_odd_key_of_the_record_is_shown(value: Any) -> None:
    shown = orjson.dumps(redacted(orjson.dumps(value))).decode()
    assert _MARK not in shown
    assert not re.search(r"\d{4}", shown)


def test_shape_is_shown_so_that_a_wrong_one_can_be_told() -> None:
    told = redacted(b'{"event": "x", "sender": {"email": "jan@shop.example", "id": 7}, "seen": [true, null, 1.5]}')
    assert told == {
        "event": "<text of 1>",
        "sender": {"email": "<text of 16>", "id": "<number>"},
        "seen": [True, None, "<number>"],
    }


def test_what_is_no_json_or_nested_without_end_is_told_by_its_size() -> None:
    deep = b"[" * 900 + b"]" * 900
    assert redacted(b"jan@shop.example") == "<16 bytes, not JSON>"
    assert "<list of 1>" in str(redacted(deep))
    assert redacted(deep * 200) == f"<{len(deep) * 200} bytes, not JSON>"


def test_headers_of_our_doors_are_shown_and_a_strangers_are_not() -> None:
    assert (header("event", "message_created"), header("from", "jan")) == ("message_created", "<text of 3>")
