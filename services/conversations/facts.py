"""What is known of a conversation: facts, each with a key of its own, never a text.

A message's key is its id; a change's is conversation, attribute, moment, from and to; a rating's is its survey; a
snapshot is kept only while none is newer. So any order and any repetition of webhooks makes the same set.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

Kind = Literal["incoming", "human", "bot", "automation", "campaign", "template", "survey", "unknown"]
# The attributes whose history matters, as `changed_attributes` names them.
TRACKED = (
    "status",
    "assignee_id",
    "team_id",
    "priority",
    "label_list",
    "first_reply_created_at",
    "waiting_since",
    "snoozed_until",
)


class Message(NamedTuple):
    """A message without its text; a deleted one stays a fact."""

    id: int
    kind: Kind
    message_type: str
    private: bool
    sender_id: int | None
    created_at: datetime
    deleted: bool


class Change(NamedTuple):
    """One attribute's step from a value to another; values are JSON text, so that they compare and sort."""

    attribute: str
    at: datetime
    previous: str
    current: str


class Rating(NamedTuple):
    """The answer to one survey; of several answers the latest counts."""

    message_id: int
    at: datetime
    sent_at: datetime
    rating: int


class State(NamedTuple):
    """How a conversation stands."""

    contact_id: int | None
    inbox_id: int
    status: str
    assignee_id: int | None
    assignee_type: str | None
    assignee_name: str | None
    team_id: int | None
    priority: str | None
    labels: tuple[str, ...]
    first_reply_created_at: datetime | None
    waiting_since: datetime | None
    snoozed_until: datetime | None
    last_activity_at: datetime | None
    created_at: datetime


class Snapshot(NamedTuple):
    """The state one webhook showed, and how fresh that is."""

    at: datetime
    sent_at: datetime
    digest: bytes
    state: State


class Facts(NamedTuple):
    """All that is known of one conversation."""

    snapshot: Snapshot
    messages: tuple[Message, ...] = ()
    changes: tuple[Change, ...] = ()
    ratings: tuple[Rating, ...] = ()


def union(parts: Iterable[Facts]) -> Facts:
    """The facts of several webhooks of one conversation as one set."""
    parts = list(parts)
    return Facts(
        max((part.snapshot for part in parts), key=_freshness),
        merged(message for part in parts for message in part.messages),
        tuple(sorted({change for part in parts for change in part.changes})),
        latest(rating for part in parts for rating in part.ratings),
    )


def merged(messages: Iterable[Message]) -> tuple[Message, ...]:
    """One fact a message: once deleted always deleted, and a known sender wins over one who has left."""
    known: dict[int, Message] = {}
    for message in messages:
        other = known.setdefault(message.id, message)
        better = message if other.sender_id is None else other
        known[message.id] = better._replace(deleted=message.deleted or other.deleted)
    return tuple(known[key] for key in sorted(known))


def latest(ratings: Iterable[Rating]) -> tuple[Rating, ...]:
    """One rating a survey: the latest."""
    best: dict[int, Rating] = {}
    for rating in ratings:
        best[rating.message_id] = max(rating, best.get(rating.message_id, rating))
    return tuple(best[key] for key in sorted(best))


def _freshness(snapshot: Snapshot) -> tuple[datetime, datetime, bytes]:
    return snapshot[:3]
