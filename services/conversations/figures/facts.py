"""What is known of a conversation: facts, each with a key of its own, never a text.

A message's key is its id; a change's is conversation, attribute, moment, from and to; a rating's is its survey; a
snapshot is kept only while none is newer. So any order and any repetition of webhooks makes the same set.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

MessageKind = Literal["incoming", "human", "bot", "automation", "campaign", "template", "survey", "unknown"]
Speaker = Literal["user", "bot", "contact"]
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
# Not a change but a sight: what the API showed, at the moment the conversation was last written. Webhooks tell exact
# moments; where one is missing, a turn of the status happened at the latest then.
STATUS_SEEN = "status_seen"


class Message(NamedTuple):
    """A message without its text; a deleted one stays a fact. `speaker` is None where nobody is named, as in what an
    automation or the channel's own app writes."""

    id: int
    kind: MessageKind
    message_type: str
    private: bool
    sender_id: int | None
    created_at: datetime
    deleted: bool
    speaker: Speaker | None = None

    @property
    def is_users(self) -> bool:
        """Sent by a person with a log-in, whatever for. Facts of before 0018 name the speaker only by the kind."""
        known = self.speaker or ("user" if self.kind == "human" and self.sender_id is not None else None)
        return self.message_type == "outgoing" and known == "user"

    @property
    def is_bots(self) -> bool:
        """Sent by a bot's or an assistant's token, whatever for."""
        return self.message_type == "outgoing" and (self.speaker or self.kind) == "bot"


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


class ConversationState(NamedTuple):
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
    state: ConversationState

    @property
    def freshness(self) -> tuple[datetime, datetime, bytes]:
        """The later written; of equals the later sent; the digest only decides what nothing else can."""
        return self.at, self.sent_at, self.digest

    @property
    def content(self) -> tuple[datetime, bytes]:
        """What makes it another snapshot: not when it was sent."""
        return self.at, self.digest


class Facts(NamedTuple):
    """All that is known of one conversation."""

    snapshot: Snapshot
    messages: tuple[Message, ...] = ()
    changes: tuple[Change, ...] = ()
    ratings: tuple[Rating, ...] = ()


def union(parts: Iterable[Facts]) -> Facts:
    """The facts of several webhooks of one conversation as one set."""
    parts = list(parts)
    snapshot = parts[0].snapshot
    messages: dict[int, Message] = {}
    ratings: dict[int, Rating] = {}
    for part in parts:
        snapshot = fresher(snapshot, part.snapshot)
        for message in part.messages:
            messages[message.id] = better_message(messages.get(message.id), message)
        for rating in part.ratings:
            ratings[rating.message_id] = max(rating, ratings.get(rating.message_id, rating))
    changes = {change for part in parts for change in part.changes}
    return Facts(snapshot, tuple(messages.values()), tuple(changes), tuple(ratings.values()))


def better_message(known: Message | None, new: Message) -> Message:
    """Once deleted always deleted; a known sender wins over one who has left since. The API tells whole seconds and no
    campaigns, so the later moment is the exact one, and a campaign stays a campaign."""
    if known is None:
        return new
    better = new if known.sender_id is None else known
    return better._replace(
        deleted=new.deleted or known.deleted,
        created_at=max(new.created_at, known.created_at),
        kind="campaign" if "campaign" in (new.kind, known.kind) else better.kind,
    )


def fresher(known: Snapshot | None, seen: Snapshot) -> Snapshot:
    """Whichever counts: see `Snapshot.freshness`."""
    return seen if known is None or seen.freshness > known.freshness else known
