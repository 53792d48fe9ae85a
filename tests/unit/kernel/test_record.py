"""What foreign writers may have put into a record's headers."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka.structs import ConsumerRecord

from services.kernel import Invalid, Record
from services.kernel.record import all_received_after


def _record(**headers: bytes) -> Record:
    return Record("t", None, b"v", tuple((name.replace("_", "-"), value) for name, value in headers.items()))


@pytest.mark.parametrize("name", [b"", b"a\0b", b"x" * 70_000])
def test_an_id_that_the_ledger_cannot_keep_is_none(name: bytes) -> None:
    """The ledger writes it beside the position, in the statement that all records of the batch depend on."""
    assert _record(id=name).identity == _record().identity


def test_an_id_is_kept_as_it_is() -> None:
    assert _record(id=b"order-1").identity == "order-1"


@pytest.mark.parametrize("moment", [b"", b"now", b"9999-12-31T23:59:59-12:00", b"0001-01-01T00:00:00+14:00"])
def test_a_moment_of_arrival_out_of_bounds_refuses_the_record(moment: bytes) -> None:
    with pytest.raises(Invalid, match="received-at"):
        _ = _record(received_at=moment).received_at


def test_a_naive_moment_of_arrival_is_meant_in_utc() -> None:
    assert _record(received_at=b"2026-11-25T10:00:00").received_at == datetime(2026, 11, 25, 10, tzinfo=UTC)


_AT = datetime(2026, 11, 25, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "told", [b"2026-11-25T10:00:00.000001+00:00", b"2026-11-25T10:00:01", b"2026-11-25T11:00:00-00:01", b"2026-11-26"]
)
def test_a_moment_of_arrival_that_lies_later_lies_later_in_whatever_form(told: bytes) -> None:
    assert _record(received_at=told).received_after(_AT)


@pytest.mark.parametrize(
    "told",
    [b"2026-11-25T10:00:00+00:00", b"2026-11-25T11:59:00+02:00", b"2026-11-25T10:61:00+00:00", b"2300-01-01T00:00:00Z",
     b"9999", b"", b"\xff"],
)  # fmt: skip
def test_what_does_not_say_that_it_came_later_may_be_as_old_as_any(told: bytes) -> None:
    assert not _record(received_at=told).received_after(_AT)


def test_of_two_moments_of_arrival_the_first_counts() -> None:
    headers = (("received-at", b"2026-11-25T09:00:00+00:00"), ("received-at", b"2026-11-25T11:00:00+00:00"))
    assert not Record("t", None, b"v", headers).received_after(_AT)
    assert not Record("t", None, b"v", (("received-at", None),)).received_after(_AT)  # type: ignore[arg-type]
    assert not Record("t", None, b"v", ()).received_after(_AT)


def _accepted(at: datetime) -> Record:
    return Record.accepted("t", key=b"", value=b"", store=uuid.uuid4(), event="e", origin="shop", received_at=at)


_LATER = [
    _accepted(_AT + timedelta(microseconds=1)),
    _accepted(_AT + timedelta(days=1)),
    _accepted(_AT.replace(second=1)),
]


def test_a_batch_as_our_doors_write_it_is_told_at_once_to_be_later() -> None:
    assert all_received_after(_LATER, _AT)


@pytest.mark.parametrize(
    "told",
    [
        (("event", b"e"), ("store", b"s"), ("id", b"i"), ("received-at", b"2026-11-25T10:00:00+00:00")),
        (("event", b"e"), ("store", b"s"), ("id", b"i"), ("received-at", b"2026-11-25T12:00:00")),
        (("event", b"e"), ("store", b"s"), ("id", b"i"), ("received-at", b"2300-01-01T00:00:00+00:00")),
        (("event", b"e"), ("store", b"s"), ("id", b"i"), ("received-at", b"2026-11-25T10:61:00+00:00")),
        (("event", b"e"), ("store", b"s"), ("id", b"i"), ("received-at", None)),
        (("event", b"e"), ("store", b"s"), ("id", b"i"), ("sent-at", b"2026-11-25T12:00:00+00:00")),
        (("event", b"e"), ("store", b"s"), ("id", b"i")),
    ],
)
def test_one_that_is_not_or_does_not_say_so_makes_each_be_looked_at(told: tuple[tuple[str, bytes], ...]) -> None:
    assert not all_received_after([*_LATER, Record("t", None, b"", told)], _AT)
    assert not all_received_after([Record("t", None, b"", told), *_LATER], _AT)


def test_no_record_at_all_is_no_reason_to_look_at_none() -> None:
    assert not all_received_after([], _AT)


_OURS = ("event", b"e"), ("store", b"s"), ("id", b"i"), ("received-at", b"2026-11-25T11:00:00+00:00")


def _consumed(*headers: tuple[str, bytes | None]) -> Record:
    return Record.consumed(ConsumerRecord("t", 0, 1, 0, 0, b"k", b"v", None, 1, 1, headers))


@pytest.mark.parametrize(
    "headers",
    [
        _OURS,
        (("sealed", b"1"), *_OURS),
        _OURS[::-1],
        (*_OURS, ("store", b"another"), ("received-at", b"2026-11-25T09:00:00+00:00")),
        (("store", b"s"), *_OURS[:1], ("store", b"another"), *_OURS[2:]),
        (_OURS[0], _OURS[1], _OURS[3], ("received-at", b"2026-11-25T09:00:00+00:00")),
    ],
)
def test_whatever_the_order_of_a_consumed_records_headers_the_first_of_a_name_counts(
    headers: tuple[tuple[str, bytes], ...],
) -> None:
    record = _consumed(*headers)
    assert record.store_name == "s"
    assert record.received_at == _AT + timedelta(hours=1)


@pytest.mark.parametrize("headers", [(), _OURS[:1], (_OURS[0], ("store", None), _OURS[2], ("received-at", None))])
def test_of_a_consumed_record_without_store_or_moment_neither_is_known(
    headers: tuple[tuple[str, bytes | None], ...],
) -> None:
    record = _consumed(*headers)
    assert record.store_name == ""
    assert not record.received_after(_AT)
    assert not all_received_after([record], _AT)


def test_a_moment_that_is_told_of_another_zone_is_compared_as_what_it_is() -> None:
    earlier = _consumed(*_OURS[:3], ("received-at", b"2026-11-25T11:00:00+02:00"))
    assert not all_received_after([*_LATER, earlier], _AT)
