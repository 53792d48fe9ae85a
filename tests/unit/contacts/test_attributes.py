"""What Chatwoot is told of a person."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from schemas.values.formats import Formats
from services.contacts.attributes import ALL, KnownPerson, RecentOrder, attributes

_PERSON = KnownPerson(
    store=UUID("7a000000-0000-4000-8000-000000000001"),
    currency="EUR",
    timezone="Europe/Amsterdam",
    preferred_language="nl",
    marketing_consent=False,
    registered_at=datetime(2023, 6, 9, 23, 30, tzinfo=UTC),
    order_count=5,
    spent={"EUR": 245_000},
    paid_orders={"EUR": 5},
    first_order_at=datetime(2023, 9, 1, tzinfo=UTC),
    last_order_at=datetime(2024, 1, 15, tzinfo=UTC),
    customer_tier="Gold",
)


def test_a_customer_is_told_in_the_specifications_words() -> None:
    wanted = {key: value for key, value in attributes(_PERSON).items() if value is not None}
    assert wanted == {
        "store_id": "7a000000-0000-4000-8000-000000000001",
        "customer_tier": "Gold",
        "support_priority": "high",
        "order_count": 5,
        "total_spent": "€2,450.00",
        "average_order_value": "€490.00",
        "last_order_date": "2024-01-15",
        "purchase_frequency": "monthly",
        "registration_date": "2023-06-10",  # already the tenth in Amsterdam
        "preferred_language": "nl",
        "marketing_consent": False,
    }


def test_only_what_the_store_allows_leaves_the_house() -> None:
    assert attributes(_PERSON, {"customer_tier", "no_such_attribute"}) == {"customer_tier": "Gold"}


def test_other_currencies_are_shown_beside_and_never_converted() -> None:
    wanted = attributes(replace(_PERSON, spent={"GBP": 3_000, "EUR": 245_000}, paid_orders={"GBP": 1, "EUR": 4}))
    assert wanted["total_spent"] == "€2,450.00 + £30.00"
    assert wanted["average_order_value"] == "€612.50"


def test_somebody_without_orders_has_no_average_no_date_and_no_tier() -> None:
    nobody = KnownPerson(store=_PERSON.store, currency="EUR", timezone="UTC")
    assert {key for key, value in attributes(nobody).items() if value is not None} == {
        "store_id",
        "order_count",
        "total_spent",
    }
    assert attributes(nobody).keys() == ALL


def test_a_zone_that_nobody_knows_is_utc_and_stops_nobody() -> None:
    wanted = attributes(replace(_PERSON, timezone="Europe/Amsterdamn"), {"registration_date"})
    assert wanted == {"registration_date": "2023-06-09"}


@pytest.mark.parametrize("moment", [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)])
def test_a_moment_that_an_earlier_release_kept_and_no_calendar_has_is_not_said(moment: datetime) -> None:
    """A merchandise system writes 9999-12-31 for "never", which is the next year in Amsterdam."""
    person = replace(_PERSON, registered_at=moment, last_order_at=moment)
    assert attributes(person, {"registration_date", "last_order_date"}) == {
        "registration_date": None,
        "last_order_date": None,
    }


@pytest.mark.parametrize(
    ("formats", "spent", "day", "score"),
    [
        ({}, "€2,450.00 + CHF 7.00 + ¥1,200", "2024-01-15", 4.5),
        ({"money": "€ 2.450,00", "date": "15-01-2024", "number": "4,5"},
         "€ 2.450,00 + CHF 7,00 + ¥ 1.200", "15-01-2024", "4,5"),
        ({"money": "2.450,00 €", "date": "15.01.2024"}, "2.450,00 € + 7,00 CHF + 1.200 ¥", "15.01.2024", 4.5),
        ({"money": "2 450,00 €", "date": "15/01/2024"}, "2\u00a0450,00 € + 7,00 CHF + 1\u00a0200 ¥", "15/01/2024", 4.5),
        ({"date": "01/15/2024"}, "€2,450.00 + CHF 7.00 + ¥1,200", "01/15/2024", 4.5),
    ],
)  # fmt: skip
def test_money_days_and_numbers_are_written_as_the_store_does(
    formats: dict[str, str], spent: str, day: str, score: object
) -> None:
    """Each by an example of it; other currencies keep their own signs and decimals."""
    sums = {"EUR": 245_000, "CHF": 700, "JPY": 1_200}
    person = replace(_PERSON, spent=sums, satisfaction=4.5, formats=Formats.model_validate(formats))
    told = attributes(person)
    assert (told["total_spent"], told["last_order_date"], told["satisfaction_score"]) == (spent, day, score)


@pytest.mark.parametrize(
    ("total", "returned", "status"),
    [(100, 0, "partly refunded"), (100, 40, "partly refunded"), (100, 100, "refunded"), (0, 0, "refunded"),
     (None, 0, "refunded")],
    ids=["in another currency", "in part", "all", "of an order that was free", "all of an unknown price"],
)  # fmt: skip
def test_an_order_of_which_anything_came_back_is_not_told_as_paid(
    total: int | None, returned: int, status: str
) -> None:
    order = RecentOrder(
        "#1", datetime(2026, 11, 1, tzinfo=UTC), "EUR", total, returned, paid=True, refunded=True, cancelled=False
    )
    assert order.status == status
    assert replace(order, refunded=False, refunded_minor=0).status == "paid"
