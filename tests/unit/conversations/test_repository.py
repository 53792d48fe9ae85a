"""What we reckon ourselves from values in bounds fits its column, too."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal

import orjson

from schemas.bounds import EARLIEST, MOST_INT4
from services.conversations.figures.facts import Change, Message
from services.conversations.figures.lifecycle import Lifecycle
from services.conversations.figures.rules import Rules
from services.conversations.repository import CHECKPOINT
from services.kernel.consent.chats import customer_row

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


def test_a_checkpoint_that_an_earlier_version_kept_is_read_and_kept_the_same() -> None:
    assert orjson.loads(CHECKPOINT.dump_json(CHECKPOINT.validate_python(_KEPT, strict=False))) == _KEPT


_KEPT = orjson.loads(
    '{"life":{"created":"2026-01-01T00:00:00Z","rules":[true,true,true,false],"first_assignee":3,"assignee":3,'
    '"waiting":null,"assigned":false,"assigned_at":null,"answered":true,"first_reply_missed":false,"opened":null,'
    '"bot_resolved":null,"handed_over":false,"person_wrote":true,"status":null,"born_pending":false,"reopenings":0,'
    '"resolutions":0,"lost_changes":0,"approximate":0,"unknown_openers":0,"unprompted_wait":null,"guessing":false,'
    '"unanswered_since":null,"last_message_at":"2026-01-01T00:06:00Z","first_response":["first_response",120,7,'
    '"2026-01-01T00:00:00Z","2026-01-01T00:02:00Z",false],"last_resolution":null,"counts":{"messages":6,"incoming":3,'
    '"human":3,"outgoing":3},"events_before":3,"events":[]},"to":"2026-01-01T00:06:00Z","message_id":6}'
)
