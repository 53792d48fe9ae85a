"""Figures as the rows that db.reporting.conversations puts, in the order of its columns."""

import hashlib
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
from pydantic import TypeAdapter

from db.pool import Row
from schemas.money import digits
from services.conversations.events import Key
from services.conversations.figures.checkpoint import Checkpoint
from services.conversations.figures.facts import Snapshot
from services.conversations.figures.figures import Figures

_MOST_VALUE = Decimal("999999999999.99")  # numeric(14, 2)
_CHECKPOINT: TypeAdapter[Checkpoint | None] = TypeAdapter(Checkpoint | None)


class Reckoned(NamedTuple):
    """A conversation with its figures, and what its row needs from elsewhere."""

    key: Key
    snapshot: Snapshot
    figures: Figures
    account_id: int
    inbox_name: str | None
    checkpoint: Checkpoint | None = None


def head(one: Reckoned) -> tuple[object, ...]:
    """wootstream.conversations."""
    figures, state, seen = one.figures, one.figures.state, one.snapshot
    return (
        *(*one.key, seen.at, seen.sent_at, seen.digest, _json(seen.state._asdict())),
        *(state.status, state.inbox_id, state.contact_id, state.assignee_id, state.assignee_type, state.team_id),
        *(state.priority, _json(state.labels), state.created_at, state.first_reply_created_at),
        *(state.waiting_since, state.snoozed_until, figures.unanswered_since, _json(figures.counts)),
        *(figures.resolutions, figures.reopenings, figures.lost_changes, figures.approximate, figures.unknown_openers),
        figures.rating and figures.rating.rating,
        *(event_count(figures), events_digest(figures), _CHECKPOINT.dump_json(one.checkpoint).decode()),
    )


def row(one: Reckoned) -> tuple[object, ...]:
    """public.chatwoot_conversations: the latest resolution, or none while it is open again."""
    figures, state = one.figures, one.figures.state
    organization, conversation = one.key
    first, last = figures.first_response, figures.last_resolution if state.status == "resolved" else None
    return (
        *(organization, one.account_id, conversation, state.contact_id),
        *(state.status, state.assignee_id, state.assignee_type, state.assignee_name, state.inbox_id, one.inbox_name),
        *(first and timedelta(seconds=first.seconds), last and timedelta(seconds=last.seconds)),
        *(figures.counts.get("messages", 0), figures.rating and figures.rating.rating),
        *(state.created_at, last and last.end, figures.last_activity_at),
    )


def events(one: Reckoned) -> list[tuple[object, ...]]:
    """wootstream.chatwoot_reporting_events."""
    inbox = one.figures.state.inbox_id
    return [
        (*one.key, ordinal, event.name, event.seconds, event.user_id, inbox, event.start, event.end, event.approximate)
        for ordinal, event in enumerate(one.figures.events, start=one.figures.events_before)
    ]


def customer(known: Row) -> tuple[object, ...]:
    """The customer's columns of public.chatwoot_conversations."""
    value = min(Decimal(known["spent_minor"] or 0).scaleb(-digits(known["currency"])), _MOST_VALUE)
    key = (known["organization_id"], known["conversation_id"])
    return (*key, known["customer_tier"], known["order_count"], known["currency"], value)


def event_count(figures: Figures) -> int:
    """All events of the conversation's life."""
    return figures.events_before + len(figures.events)


def events_digest(figures: Figures) -> bytes:
    """Equal events need not be written again."""
    return hashlib.blake2b(_json([figures.events_before, *map(tuple, figures.events)]).encode(), digest_size=8).digest()


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
