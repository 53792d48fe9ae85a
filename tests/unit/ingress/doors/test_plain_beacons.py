"""A POST of beacons read the quick way comes to the same as the model makes of it: token, rows and verdicts."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson
import pytest

from schemas.beacons import Beacon, PlainBeacon, plain_post
from services.ingress.doors import beacons
from services.ingress.doors.beacon_events import KnownVisitor, judge, row
from services.ingress.doors.refusals import Refused
from tests.fields.hostile import each, places, written

_NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
_ID = f"{int(_NOW.timestamp() * 1000):012x}"
_SOUND: dict[str, Any] = {
    "id": f"{_ID[:8]}-{_ID[8:]}-7001-8002-000000000003", "event_type": "cart_updated",
    "page_url": "https://shop.example/cart?a=1", "referrer": "", "load_time_ms": 12, "widget_version": "1",
    "event_data": {"value_minor": 1, "ratio": 0.5, "currency": "EUR", "items": ["a", {"n": None}]},
}  # fmt: skip
_POST: dict[str, Any] = {"token": "t", "consent": ["analytics"], "events": [_SOUND, _SOUND]}
_KNOWN = KnownVisitor("s", None, None, "a", "192.0.2.0")
_WHERE = [
    *(("token",), ("consent",), ("consent", 0), ("events",), ("events", 1), ("more",), ("events", 0, "more")),
    *(("events", 0, *place) for place in (*places(Beacon), ("event_data", "value_minor"), ("event_data", "items", 0))),
]
_BROKEN = [
    orjson.dumps(_POST).replace(b'"cart_updated"', b'"cart_updated",' + more, 1)
    for more in (
        b'"page_url":"\xc3\xa9"',
        b'"page_url":"\xff"', b'"page_url":"\xed\xa0\x80"', b'"page_url":"\\ud800"', b'"page_url":"a\\u0000b"',
        b'"page_url":"a\x01"', b'"page_url":"a","page_url":"b"', b'"page_url":1,"page_url":"b"',
        b'"event_type":"none","event_type":"page_viewed"', b'"\xff":1', b'"other":{"a":"\xff"}', b'"other":1e999',
        b'"event_data":{"a":1e999}', b'"event_data":{"a":NaN}', b'"event_data":{"\xff":1}', b'"event_data":{"a":-0}',
        *(b'"event_data":{"a":%d}' % number for number in (2**63 - 1, 2**63, 2**64, -(2**63), -(2**63) - 1, 10**400)),
        b'"event_data":' + b'{"a":' * 60 + b"1" + b"}" * 60, b'"event_data":' + b'{"a":' * 70 + b"1" + b"}" * 70,
    )
]  # fmt: skip


def _bodies() -> Iterator[bytes]:
    yield from _BROKEN
    sound = orjson.dumps(_POST)
    yield from (b"", b"[]", b"null", sound + b"x", b" " + sound + b" ", b"\xef\xbb\xbf" + sound)
    yield from (written(body) for body in each([_POST], _WHERE, random.Random(1)))
    yield from (written(_POST | {"events": [_SOUND] * count}) for count in (0, 100, 101))


def _outcome(body: bytes) -> object:
    try:
        token, consent, events = beacons._read(body)
    except Refused as refused:
        return refused.reason
    kept, refusals = judge(events, _NOW)
    return token, [*consent], msgspec.json.encode([row(one, _KNOWN) for one in kept if not one.is_consent]), refusals


def test_every_body_is_judged_alike_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = [*_bodies()]
    quick = [_outcome(body) for body in bodies]
    plain = sum(plain_post(body) is not None for body in bodies if len(body) < 10_000)
    monkeypatch.setattr(beacons, "plain_post", lambda _: None)
    for body, outcome in zip(bodies, quick, strict=True):
        assert outcome == _outcome(body), body[:500]
    assert 100 < plain < len(bodies) / 2


def test_what_pages_send_is_plain() -> None:
    post = plain_post(orjson.dumps(_POST))
    assert post is not None
    assert [type(one) for one in post.events] == [PlainBeacon, PlainBeacon]
