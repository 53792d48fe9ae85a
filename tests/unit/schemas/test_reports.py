"""Widget events read the quick way are the same as the model makes of them."""

import uuid
from collections.abc import Sequence
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.beacons import EventType, PlainReport, WidgetReport, reports
from schemas.values import json_text

_MODEL = TypeAdapter(tuple[WidgetReport, ...])
_SOUND = {"id": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "event_type": "page_viewed"}
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
_TEXT = st.none() | st.text(max_size=9) | st.sampled_from(("x" * 255, "é" * 256, "\0", "x" * 2_049, "12"))
_IDS = st.sampled_from((_SOUND["id"], _SOUND["id"].upper(), uuid.UUID(_SOUND["id"]).hex, f"{{{_SOUND['id']}}}"))
_FIELDS: dict[str, Any] = {
    "id": _IDS | st.uuids().map(str) | _ANYTHING,
    "event_type": st.sampled_from(get_args(EventType)) | _ANYTHING,
    "user_id": st.none() | st.uuids().map(str) | _ANYTHING,
    "load_time_ms": st.none() | st.integers(-1, 2**31) | _ANYTHING,
    "event_data": st.dictionaries(st.text(max_size=3), _ANYTHING, max_size=3) | _ANYTHING,
    "unknown": _ANYTHING,
} | dict.fromkeys(
    ("session_id", "customer_id", "page_url", "referrer", "user_agent", "ip_address", "widget_version"),
    _TEXT | _ANYTHING,
)
_EVENTS = st.lists(st.fixed_dictionaries({}, optional=_FIELDS).map(lambda some: _SOUND | some), min_size=1, max_size=3)


def _values(events: Sequence[WidgetReport | PlainReport]) -> list[dict[str, Any]]:
    return [{name: getattr(one, name) for name in WidgetReport.model_fields} for one in events]


def _same(body: bytes) -> None:
    try:
        expected = _values(json_text.read(_MODEL.validate_json, body))
    except ValidationError:
        with pytest.raises(ValidationError):
            reports(body)
    else:
        assert repr(_values(reports(body))) == repr(expected)


@given(_EVENTS)
def test_whatever_a_record_holds_is_read_as_the_model_reads_it(events: list[dict[str, Any]]) -> None:
    _same(orjson.dumps(events))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[", b"{}", b"null", b"[1]", b"[{}]", b"[" * 9_000,
        *(
            orjson.dumps([_SOUND])[:-2] + b"," + more + b"}]"
            for more in (
                b'"page_url":"\xff"', b'"page_url":"\\ud800"', b'"page_url":"a\\u0000b"',
                b'"page_url":"a","page_url":"b"',
                b'"event_data":{"a":1e999}', b'"event_data":{"a":NaN}', b'"event_data":{"a":1180591620717411303424}',
                b'"event_data":{"a":' + b"1" * 5_000 + b"}",
                *(b'"event_data":' + b'{"a":' * deep + b"1" + b"}" * deep for deep in (3, 198, 199, 3_000)),
                b'"other":{"a":\xff}',
            )
        ),
    ],
)  # fmt: skip
def test_what_is_strange_is_read_as_the_model_reads_it(body: bytes) -> None:
    _same(body)


def test_what_our_door_writes_is_plain() -> None:
    full: dict[str, Any] = _SOUND | {
        "session_id": "s1", "user_id": str(uuid.uuid4()), "customer_id": "c1", "page_url": "https://shop.example/ü",
        "referrer": None, "user_agent": "Mozilla", "ip_address": "192.0.2.0", "load_time_ms": 812,
        "widget_version": "1", "event_data": {"items": 3, "ratio": 0.5, "names": ["a", None, True], "of": [{"a": 1}]},
    }  # fmt: skip
    assert all(isinstance(one, PlainReport) for one in reports(orjson.dumps([full, _SOUND])))
