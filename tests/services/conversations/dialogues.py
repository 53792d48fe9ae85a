"""Long conversations of any length, in bodies like the recorded ones."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from services.kernel import Record
from tests.recordings.recorded import account_webhooks
from tests.services.conversations.bench import record

_BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def dialogue(organization: uuid.UUID, *, conversation: int, messages: int, begun: datetime = _BEGUN) -> list[Record]:
    """A customer and an agent take turns, a second apart; bodies like the recorded ones."""
    like = orjson.loads(next(one.body for one in account_webhooks("chatwoot-4.13.0") if one.event == "message_created"))
    return [
        record(
            organization,
            "message_created",
            orjson.dumps(_turn(like, conversation, number, begun=begun)),
            received_at=begun + timedelta(seconds=number),
        )
        for number in range(messages)
    ]


def _turn(like: dict[str, Any], conversation: int, number: int, *, begun: datetime) -> dict[str, Any]:
    at = begun + timedelta(seconds=number)
    asks = number % 2 == 0
    state = {"id": conversation, "created_at": int(begun.timestamp()), "updated_at": at.timestamp()}
    return {
        **like,
        "id": conversation * 100_000 + number,
        "created_at": at.isoformat(timespec="milliseconds"),
        "message_type": "incoming" if asks else "outgoing",
        "sender": {"id": 5} if asks else {"id": 7, "type": "user", "name": "Ada"},
        "conversation": {**like["conversation"], **state},
    }
