"""What we reckon ourselves from values in bounds fits its column, too."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal

import orjson

from schemas.bounds import EARLIEST, MOST_INT4
from services.conversations.figures.facts import Change, Message
from services.conversations.figures.lifecycle import Lifecycle
from services.conversations.figures.rules import Rules
from services.conversations.repository import customer_row

_LATE = datetime(2199, 12, 31, tzinfo=UTC)
_RULES = Rules.of("4.13.0", has_bot=False)


def test_an_answer_after_230_years_took_as_long_as_the_column_can_say() -> None:
    lifecycle = Lifecycle.start(EARLIEST, _RULES, None)
    lifecycle.apply(Message(1, "human", "outgoing", False, 7, _LATE, False), _RULES)
    assert [event.seconds for event in lifecycle.events] == [MOST_INT4]


def test_a_kept_moment_that_is_none_starts_no_wait() -> None:
    lifecycle = Lifecycle.start(EARLIEST, _RULES, None)
    lifecycle.waiting = None
    lifecycle.apply(Change("waiting_since", _LATE, "null", orjson.dumps("9999-12-31T23:59:59-12:00").decode()), _RULES)
    assert lifecycle.waiting is None


def test_a_customer_who_spent_more_than_the_column_holds_spent_what_it_holds() -> None:
    row = {"spent_minor": 10**18, "currency": "JPY", "customer_tier": "Platinum", "order_count": 1}
    kept = customer_row(row | {"organization_id": uuid.uuid4(), "conversation_id": 1})
    assert kept.value == Decimal("999999999999.99")
