"""What foreign writers may have put into a record's headers."""

from datetime import UTC, datetime

import pytest

from services.kernel import Invalid, Record


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
