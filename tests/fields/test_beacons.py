"""Every event that the beacons' door takes becomes a row: what PostgreSQL could refuse, the door refuses by number."""

import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.pool import Pool
from schemas.beacons import Beacon
from schemas.topics import WIDGET_EVENTS
from schemas.values.depth import too_deep
from services.ingress.doors.beacon_events import KnownVisitor, judge, row
from services.ingress.doors.beacons import parsed
from services.ingress.doors.refusals import EventRefusal
from services.kernel import Record
from services.widget import events, handlers
from tests.fields.applying import undone
from tests.fields.hostile import bodies, each, in_batches, places, written

_AT_ONCE = 20
_NOW = datetime.now(UTC)
_STORED = "select count(*) from public.chatwoot_widget_events"
_DATA = (("event_data",), ("event_data", "value_minor"), ("event_data", "note", "inner"))


def _sound(number: int) -> dict[str, Any]:
    return {
        "id": str(event_id(number)), "event_type": "cart_updated", "page_url": "https://shop.example/cart?a=1",
        "referrer": "https://shop.example/", "load_time_ms": 12.0, "widget_version": "1",
        "event_data": {"value_minor": 1, "currency": "EUR", "items": 1},
    }  # fmt: skip


def event_id(number: int) -> UUID:
    milliseconds = int(_NOW.timestamp() * 1000)
    return UUID(int=(milliseconds << 80) | (7 << 76) | (0b10 << 62) | number)


# What a page sends, and what the door adds of the request: headers and addresses are strangers' words, too.
_POST = st.lists(bodies([_sound(0)], [*places(Beacon), *_DATA]), min_size=1, max_size=_AT_ONCE)
_KNOWN = st.builds(
    KnownVisitor,
    session=st.text(max_size=300),
    customer=st.none() | st.text(max_size=300),
    user=st.none() | st.uuids(),
    user_agent=st.binary(max_size=512).map(lambda agent: agent.decode("latin-1")),
    address=st.none() | st.ip_addresses().map(str) | st.sampled_from(("fe80::1%eth0", "192.0.2.0", "")),
)


def taken(body: bytes, known: KnownVisitor, store: UUID) -> tuple[list[Record], int, Sequence[EventRefusal]]:
    """As the door keeps it: the record if there is one, how many events are in it, and which were refused."""
    if too_deep(body):
        return [], 0, []
    try:
        post = parsed(body)
    except orjson.JSONDecodeError:
        return [], 0, []
    kept, refusals = judge(post, _NOW)
    value = msgspec.json.encode([row(event, known) for event in kept])
    record = Record.accepted(
        WIDGET_EVENTS.name, key=b"", value=value, store=store, event="beacon", origin="beacon", received_at=_NOW
    )
    return [record] if kept else [], len(kept), refusals


@in_batches(_AT_ONCE // 4)
@given(sent=_POST, known=_KNOWN)
async def test_what_the_door_takes_is_stored(
    pool: Pool, store: UUID, sent: list[dict[str, Any]], known: KnownVisitor
) -> None:
    # Each its own id, but where the id itself is what is strange.
    given = [one | ({"id": str(event_id(number))} if one.get("id") == _sound(0)["id"] else {})
             for number, one in enumerate(sent) if isinstance(one, dict)]  # fmt: skip
    records, kept, refusals = taken(written(given), known, store)

    read = [events.read(record) for record in records]
    async with undone(pool, store) as conn:
        if read:
            assert await handlers.keep(conn, [post for post in read if post]) == set(records)
        distinct = len({one.id for post in read if post for one in post.rows})
        assert await conn.fetchval(_STORED) == distinct

    assert all(read)
    assert sum(len(post.rows) for post in read if post) == kept
    assert all(one.reason and 0 <= one.number < len(given) for one in refusals)


async def test_each_hostile_value_in_each_field_is_refused_by_the_door_or_stored(pool: Pool, store: UUID) -> None:
    visitor = KnownVisitor("s\0", None, None, "a", "192.0.2.0")
    everything = list(each([_sound(0)], [*places(Beacon), *_DATA], random.Random(1)))
    assert len(everything) > 500
    stored = refused = 0
    async with undone(pool, store) as conn:
        for number, one in enumerate(everything):
            sent = one | ({"id": str(event_id(number))} if one.get("id") == _sound(0)["id"] else {})
            records, kept, refusals = taken(written([sent]), visitor, store)
            for record in records:
                read = events.read(record)
                assert read is not None
                await handlers.keep(conn, [read])
            stored, refused = stored + kept, refused + len(refusals)
        assert await conn.fetchval(_STORED) == stored
    assert stored > 100
    assert refused > 100


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("load_time_ms", 2**31, "load_time_ms"),
        ("load_time_ms", -1, "load_time_ms"),
        ("event_type", "widget_exploded", "event_type"),
        ("event_data", [1], "event_data"),
        ("id", str(uuid.UUID(int=7)), "UUIDv7"),
        ("page_url", 1, "page_url"),
    ],
)
def test_each_refusal_names_its_event_and_what_is_wrong(field: str, value: object, reason: str) -> None:
    kept, refusals = judge([_sound(1), _sound(2) | {field: value}, _sound(3)], _NOW)
    assert [one.id for one in kept] == [event_id(1), event_id(3)]
    assert [one.number for one in refusals] == [1]
    assert reason in refusals[0].reason
