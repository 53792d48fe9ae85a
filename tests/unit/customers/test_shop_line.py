"""A line of a shop's past becomes the events that the shop would have sent."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.customers.past.shop_line import BadLine, reader_of

_NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
_ORDER = {
    "order_id": "o1",
    "customer_id": "c1",
    "currency": "EUR",
    "amount": "2450.00",
    "placed_at": "2026-01-01T09:00+01:00",
}


def _events(cells: dict[str, str]) -> list[dict[str, Any]]:
    return list(reader_of(list(cells))(cells, _NOON))


def test_an_order_is_placed_paid_and_refunded_in_minor_units() -> None:
    events = _events(
        _ORDER
        | {
            "paid_at": "2026-01-02T09:00Z",
            "refunded_at": "2026-01-03T09:00Z",
            "refunded_amount": "50",
            "categories": "beds | lamps|",
        }
    )
    assert [(event["type"], event["time"], event["data"].get("amount_minor")) for event in events] == [
        ("order.placed", "2026-01-01T09:00:00+01:00", 245_000),
        ("order.paid", "2026-01-02T09:00:00+00:00", 245_000),
        ("order.refunded", "2026-01-03T09:00:00+00:00", 5_000),
    ]
    assert events[0]["data"]["categories"] == ["beds", "lamps"]


@pytest.mark.parametrize(
    ("currency", "amount", "minor"), [("JPY", "1200", 1200), ("TND", "1.234", 1234), ("EUR", "7", 700)]
)
def test_an_amount_has_the_decimals_of_its_currency(currency: str, amount: str, minor: int) -> None:
    (event,) = _events(_ORDER | {"currency": currency, "amount": amount})
    assert event["data"]["amount_minor"] == minor


def test_the_same_line_is_the_same_events_whatever_the_order_of_columns() -> None:
    (one,), (again,) = _events(_ORDER), _events(dict(reversed(_ORDER.items())))
    assert one["id"] == again["id"]
    (other,) = _events(_ORDER | {"amount": "2450.01"})
    assert other["id"] != one["id"]


def test_a_customers_line_counts_from_when_it_was_said() -> None:
    (event,) = _events({"customer_id": "c1", "marketing_consent": "Yes", "email": " a@x.example "})
    assert (event["time"], event["data"]) == (
        _NOON.isoformat(),
        {"customer_id": "c1", "email": "a@x.example", "marketing_consent": True},
    )
    (dated,) = _events({"customer_id": "c1", "updated_at": "2020-02-02T00:00Z"})
    assert dated["time"] == "2020-02-02T00:00:00+00:00"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"amount": "1.234,50"}, "write it as 1234.50"),
        ({"amount": "1.005"}, "EUR has 2 decimals"),
        ({"amount": "NaN"}, "write it as 1234.50"),
        ({"amount": "1e999999999"}, "amount is '1e999999999'"),
        ({"currency": ""}, "amount needs a currency"),
        ({"placed_at": ""}, "placed_at is empty"),
        ({"placed_at": "01.02.2026"}, "write it as 2026-11-01T09:00:00"),
        ({"placed_at": "2026-01-01T09:00"}, "without a zone"),
        ({"refunded_amount": "5"}, "refunded_amount needs refunded_at"),
        ({"order_number": "x" * 4_001}, "longer than"),
    ],
)
def test_a_bad_line_says_what_to_write(change: dict[str, str], why: str) -> None:
    with pytest.raises(BadLine, match=why):
        _events(_ORDER | change)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (["email"], "it lacks customer_id"),
        (["order_id", "customer_id"], "it lacks placed_at"),
        (["customer_id", "e-mail"], "no such column: e-mail; there are: customer_id, email"),
        (["customer_id", "email", "email"], "named twice"),
    ],
)
def test_a_header_that_is_of_neither_kind_is_refused_with_what_there_is(header: list[str], why: str) -> None:
    with pytest.raises(BadLine, match=why):
        reader_of(header)
