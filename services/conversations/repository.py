"""What PostgreSQL keeps of a conversation, as facts: kept from a batch, read back for reckoning."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from db.pool import Connection, Row
from db.reporting import conversations, facts
from services.conversations.batch import FactBatch, rating_key
from services.conversations.events import Key
from services.conversations.figures.checkpoint import Checkpoint
from services.conversations.figures.facts import Change, Facts, Message, Rating, Snapshot, State

_STATE = TypeAdapter(State)
_CHECKPOINT = TypeAdapter(Checkpoint)
_FROM_THE_START = (-1, datetime(1970, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Head:
    """What was known of a conversation before this batch."""

    snapshot: Snapshot | None
    event_count: int
    events_digest: bytes | None
    status: str | None
    rating: int | None
    checkpoint: Checkpoint | None = None


async def lock(conn: Connection, keys: Collection[Key]) -> dict[Key, Head]:
    """Lock these conversations, beginning those never heard of."""
    return {_key(row): _head(row) for row in await conversations.lock(conn, keys)}


async def look(conn: Connection, key: Key) -> Facts | None:
    """All that is known of one conversation, to read only."""
    row = await conversations.look(conn, key)
    snapshot = _head(row).snapshot if row else None
    return (await load(conn, {key: snapshot}, {key: None}))[key] if snapshot else None


async def keep(conn: Connection, batch: FactBatch) -> set[tuple[Key, Any]]:
    """Keep the batch's facts; answers the keys of those that were news."""
    messages = await facts.keep_messages(conn, [(*key, *fact) for (key, _), fact in batch.messages.items()])
    changes = await facts.keep_changes(conn, [(*key, *fact) for (key, _), fact in batch.changes.items()])
    ratings = await facts.keep_ratings(conn, [(*key, *fact) for (key, _), fact in batch.ratings.items()])
    return {
        *((_key(row), row["message_id"]) for row in messages),
        *((_key(row), Change(*_fact(row))) for row in changes),
        *((_key(row), rating_key(row["message_id"])) for row in ratings),
    }


async def load(
    conn: Connection, snapshots: Mapping[Key, Snapshot], checkpoints: Mapping[Key, Checkpoint | None]
) -> dict[Key, Facts]:
    """The facts of these conversations that are not behind their checkpoint, each with the snapshot given."""
    keys = sorted(snapshots)
    begin = {key: (one.message_id, one.to) if one else _FROM_THE_START for key, one in checkpoints.items()}
    messages, changes, ratings = defaultdict(list), defaultdict(list), defaultdict(list)
    for row in await facts.messages(conn, [(*key, begin[key][0]) for key in keys]):
        messages[_key(row)].append(Message(*_fact(row)))
    for row in await facts.changes(conn, [(*key, begin[key][1]) for key in keys]):
        changes[_key(row)].append(Change(*_fact(row)))
    for row in await facts.ratings(conn, keys):
        ratings[_key(row)].append(Rating(*_fact(row)))
    return {
        key: Facts(snapshot, tuple(messages[key]), tuple(changes[key]), tuple(ratings[key]))
        for key, snapshot in snapshots.items()
    }


def _key(row: Row) -> Key:
    return row["organization_id"], row["conversation_id"]


def _fact(row: Row) -> list[Any]:
    return list(row.values())[2:]


def _head(row: Row) -> Head:
    seen = row["seen"]
    snapshot = seen and Snapshot(
        row["seen_at"], row["seen_sent_at"], row["seen_digest"], _STATE.validate_python(seen, strict=False)
    )
    checkpoint = _CHECKPOINT.validate_python(row["walked"], strict=False) if row["walked"] else None
    return Head(snapshot, row["event_count"], row["events_digest"], row["status"], row["rating"], checkpoint)
