"""Facts and figures ↔ rows: facts are kept from a batch and read back for reckoning, figures are put."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson
from pydantic import TypeAdapter

from db.pool import Connection, Row
from db.privacy import unnamed_chats
from db.privacy.unnamed_chats import WithheldRow
from db.reporting import conversations, facts
from db.reporting.conversations import (
    ConversationRow,
    EventCountRow,
    HeadRow,
    ReportingEventRow,
)
from db.reporting.facts import ChangeRow, MessageRow, RatingRow
from services.conversations.events import FactBatch, Key, rating_key
from services.conversations.figures.checkpoint import Checkpoint
from services.conversations.figures.facts import Change, ConversationState, Facts, Message, Rating, Snapshot
from services.conversations.figures.figures import Figures
from services.kernel.consent.chats import customer_row

_STATE = TypeAdapter(ConversationState)
CHECKPOINT: TypeAdapter[Checkpoint | None] = TypeAdapter(Checkpoint | None)
# Of a conversation beyond its checkpoint: people's have some hundred, and one that begins anew some thousand. What has
# more is not reckoned any more; what happens in it is kept.
MOST_OPEN = 20_000
MOST_AT_ONCE = 100_000  # in memory, of all
_FROM_THE_START = (-1, datetime(1970, 1, 1, tzinfo=UTC))  # before every id and moment that a webhook may name


@dataclass(frozen=True, slots=True)
class Head:
    """What was known of a conversation before this batch."""

    snapshot: Snapshot | None
    event_count: int
    events_digest: bytes | None
    status: str | None
    rating: int | None
    checkpoint: Checkpoint | None = None
    not_reckoned_since: datetime | None = None


class Reckoned(NamedTuple):
    """A conversation with its figures, and what its row needs from elsewhere."""

    key: Key
    snapshot: Snapshot
    figures: Figures
    account_id: int
    inbox_name: str | None
    checkpoint: Checkpoint | None = None


class UnnamedContact(NamedTuple):
    """Whose conversation it is, for this transaction alone, and the hash that is kept instead."""

    contact: int
    digest: bytes


async def lock(conn: Connection, keys: Collection[Key]) -> dict[Key, Head]:
    """Lock these conversations, beginning those never heard of."""
    return {_key(row): _head(row) for row in await conversations.lock(conn, keys)}


async def look(conn: Connection, key: Key) -> tuple[Head, Facts | None] | None:
    """One conversation, to read only, with all its facts where they are not more than fits into memory."""
    row = await conversations.look(conn, key)
    head = _head(row) if row else None
    if head is None or head.snapshot is None:
        return None
    found = await load(conn, {key: head.snapshot}, {key: None}, each=MOST_AT_ONCE)
    return head, (found or {}).get(key)


async def keep(conn: Connection, batch: FactBatch) -> set[tuple[Key, Any]]:
    """Keep the batch's facts; answers the keys of those that were news."""
    messages = await facts.keep_messages(conn, [_message_row(key, one) for (key, _), one in batch.messages.items()])
    changes = await facts.keep_changes(conn, [_change_row(key, one) for (key, _), one in batch.changes.items()])
    ratings = await facts.keep_ratings(conn, [_rating_row(key, one) for (key, _), one in batch.ratings.items()])
    return {
        *((_key(row), row["message_id"]) for row in messages),
        *((_key(row), _change(row)) for row in changes),
        *((_key(row), rating_key(row["message_id"])) for row in ratings),
    }


async def load(
    conn: Connection,
    snapshots: Mapping[Key, Snapshot],
    checkpoints: Mapping[Key, Checkpoint | None],
    *,
    each: int | None = None,
) -> dict[Key, Facts] | None:
    """The facts of these conversations that are not behind their checkpoint, each with the snapshot given; without
    those that have more than may lie open. None where several have more together than fits into memory."""
    keys, each = sorted(snapshots), each or MOST_OPEN
    begin = {key: (one.message_id, one.to) if one else _FROM_THE_START for key, one in checkpoints.items()}
    messages, changes, ratings = defaultdict(list), defaultdict(list), defaultdict(list)
    told = await facts.messages(conn, [(*key, begin[key][0]) for key in keys], each + 1, MOST_AT_ONCE + 1)
    moved = await facts.changes(conn, [(*key, begin[key][1]) for key in keys], each + 1, MOST_AT_ONCE + 1)
    if max(len(told), len(moved)) > MOST_AT_ONCE and len(keys) > 1:
        return None
    for row in told:
        messages[_key(row)].append(_message(row))
    for row in moved:
        changes[_key(row)].append(_change(row))
    for row in await facts.ratings(conn, keys):
        ratings[_key(row)].append(_rating(row))
    return {
        key: Facts(snapshot, tuple(messages[key]), tuple(changes[key]), tuple(ratings[key]))
        for key, snapshot in snapshots.items()
        if max(len(messages[key]), len(changes[key])) <= each
    }


async def put(
    conn: Connection, reckoned: Sequence[Reckoned], heads: Mapping[Key, Head], unnamed: Mapping[Key, UnnamedContact]
) -> None:
    """Write the figures of locked conversations, sorted by their keys; `unnamed` are contacts that stay unnamed."""
    digests = [_events_digest(one.figures) for one in reckoned]
    await conversations.put_heads(conn, [_head_row(one, digest) for one, digest in zip(reckoned, digests, strict=True)])
    await conversations.put_rows(conn, [_conversation_row(one) for one in reckoned])
    await _put_customers(conn, [one for one in reckoned if heads[one.key].snapshot is None], unnamed)
    withheld = [WithheldRow(*one.key, unnamed[one.key].digest) for one in reckoned if one.key in unnamed]
    await unnamed_chats.withhold(conn, withheld)
    # Equal events need not be written again: most facts of a batch make none.
    each = zip(reckoned, digests, strict=True)
    moved = [one for one, digest in each if digest != heads[one.key].events_digest]
    await conversations.put_events(conn, [event for one in moved for event in _event_rows(one)])
    fewer = [one for one in moved if _event_count(one.figures) < heads[one.key].event_count]
    await conversations.trim_events(conn, [_event_count_row(one) for one in fewer])


async def _put_customers(conn: Connection, begun: Sequence[Reckoned], unnamed: Mapping[Key, UnnamedContact]) -> None:
    """Whom the shop knew when the conversation began; later orders do not change it."""
    whose = {one.key: unnamed[one.key].contact if one.key in unnamed else one.figures.state.contact_id for one in begun}
    contacts = [(*key, contact) for key, contact in whose.items() if contact is not None]
    customers = await conversations.customers(conn, contacts)
    await conversations.put_customers(conn, [customer_row(row) for row in customers])


def _key(row: Row) -> Key:
    return row["organization_id"], row["conversation_id"]


def _head(row: Row) -> Head:
    seen = row["seen"]
    # Kept as JSON, so moments come back as text: read leniently, unlike what a webhook says.
    snapshot = seen and Snapshot(
        row["seen_at"], row["seen_sent_at"], row["seen_digest"], _STATE.validate_python(seen, strict=False)
    )
    checkpoint = CHECKPOINT.validate_python(row["walked"], strict=False) if row["walked"] else None
    return Head(
        snapshot,
        row["event_count"],
        row["events_digest"],
        row["status"],
        row["rating"],
        checkpoint,
        row["not_reckoned_since"],
    )


def _message(row: Row) -> Message:
    return Message(
        id=row["message_id"],
        kind=row["kind"],
        message_type=row["message_type"],
        private=row["private"],
        sender_id=row["sender_id"],
        created_at=row["created_at"],
        deleted=row["deleted"],
        speaker=row["speaker"],
    )


def _message_row(key: Key, message: Message) -> MessageRow:
    return MessageRow(
        organization_id=key[0],
        conversation_id=key[1],
        message_id=message.id,
        kind=message.kind,
        message_type=message.message_type,
        private=message.private,
        sender_id=message.sender_id,
        created_at=message.created_at,
        deleted=message.deleted,
        speaker=message.speaker,
    )


def _change(row: Row) -> Change:
    return Change(attribute=row["attribute"], at=row["changed_at"], previous=row["previous"], current=row["current"])


def _change_row(key: Key, change: Change) -> ChangeRow:
    return ChangeRow(
        organization_id=key[0],
        conversation_id=key[1],
        attribute=change.attribute,
        changed_at=change.at,
        previous=change.previous,
        current=change.current,
    )


def _rating(row: Row) -> Rating:
    return Rating(message_id=row["message_id"], at=row["answered_at"], sent_at=row["sent_at"], rating=row["rating"])


def _rating_row(key: Key, rating: Rating) -> RatingRow:
    return RatingRow(
        organization_id=key[0],
        conversation_id=key[1],
        message_id=rating.message_id,
        answered_at=rating.at,
        sent_at=rating.sent_at,
        rating=rating.rating,
    )


def _head_row(one: Reckoned, events_digest: bytes) -> HeadRow:
    figures, state, seen = one.figures, one.figures.state, one.snapshot
    return HeadRow(
        organization_id=one.key[0],
        conversation_id=one.key[1],
        seen_at=seen.at,
        seen_sent_at=seen.sent_at,
        seen_digest=seen.digest,
        seen=_json(seen.state._asdict()),
        status=state.status,
        inbox_id=state.inbox_id,
        contact_id=state.contact_id,
        assignee_id=state.assignee_id,
        assignee_type=state.assignee_type,
        team_id=state.team_id,
        priority=state.priority,
        labels=_json(state.labels),
        started_at=state.created_at,
        first_reply_at=state.first_reply_created_at,
        waiting_since=state.waiting_since,
        snoozed_until=state.snoozed_until,
        unanswered_since=figures.unanswered_since,
        counts=_json(figures.counts),
        resolutions=figures.resolutions,
        reopenings=figures.reopenings,
        lost_changes=figures.lost_changes,
        approximate=figures.approximate,
        unknown_openers=figures.unknown_openers,
        rating=figures.rating.rating if figures.rating else None,
        event_count=_event_count(figures),
        events_digest=events_digest,
        walked=CHECKPOINT.dump_json(one.checkpoint).decode(),
    )


def _conversation_row(one: Reckoned) -> ConversationRow:
    """The latest resolution, or none while it is open again."""
    figures, state = one.figures, one.figures.state
    first, last = figures.first_response, figures.last_resolution if state.status == "resolved" else None
    return ConversationRow(
        organization_id=one.key[0],
        chatwoot_account_id=one.account_id,
        chatwoot_conversation_id=one.key[1],
        chatwoot_contact_id=state.contact_id,
        status=state.status,
        assignee_id=state.assignee_id,
        assignee_type=state.assignee_type,
        assignee_name=state.assignee_name,
        inbox_id=state.inbox_id,
        inbox_name=one.inbox_name,
        first_response_time=timedelta(seconds=first.seconds) if first else None,
        resolution_time=timedelta(seconds=last.seconds) if last else None,
        message_count=figures.counts.get("messages", 0),
        satisfaction_rating=figures.rating.rating if figures.rating else None,
        conversation_started_at=state.created_at,
        conversation_resolved_at=last.end if last else None,
        last_activity_at=figures.last_activity_at,
    )


def _event_rows(one: Reckoned) -> Iterator[ReportingEventRow]:
    (organization, conversation), inbox_id = one.key, one.figures.state.inbox_id
    for ordinal, event in enumerate(one.figures.events, start=one.figures.events_before):
        yield ReportingEventRow(
            organization_id=organization,
            chatwoot_conversation_id=conversation,
            ordinal=ordinal,
            name=event.name,
            value=event.seconds,
            user_id=event.user_id,
            inbox_id=inbox_id,
            event_start=event.start,
            event_end=event.end,
            approximate=event.approximate,
        )


def _event_count_row(one: Reckoned) -> EventCountRow:
    return EventCountRow(organization_id=one.key[0], conversation_id=one.key[1], event_count=_event_count(one.figures))


def _event_count(figures: Figures) -> int:
    """All events of the conversation's lifecycle."""
    return figures.events_before + len(figures.events)


def _events_digest(figures: Figures) -> bytes:
    return hashlib.blake2b(_json([figures.events_before, *map(tuple, figures.events)]).encode(), digest_size=8).digest()


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
