"""Why a conversation of 5,000 messages is not read 5,000 times: its lifecycle up to what is long past is kept.

Only the lifecycle is kept, never a figure of its own: a fact that arrives late for what lies behind makes it begin
anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import orjson

from services.conversations.figures.facts import Change, Facts, Message
from services.conversations.figures.figures import first_assignee, moment_of, replay, timeline
from services.conversations.figures.lifecycle import Lifecycle
from services.conversations.figures.rules import Ruling

LONG = 300  # facts that lie open before the checkpoint moves on: most conversations never have one
KEPT_OPEN = 100  # webhooks overtake each other by seconds, so the last facts stay open


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The lifecycle up to a moment; every message up to it has an id up to `message_id`, and none after it has.

    Kept as JSON in wootstream.conversations.walked: a field renamed here is a checkpoint that cannot be read.
    """

    life: Lifecycle
    to: datetime
    message_id: int


def advance(
    facts: Facts, rules: Ruling, checkpoint: Checkpoint | None, *, long: int = LONG, kept_open: int = KEPT_OPEN
) -> Checkpoint | None:
    """Move on once many facts lie open, but for the last of them."""
    open_facts = timeline(facts)
    if len(open_facts) < long:
        return checkpoint
    to = moment_of(open_facts[-kept_open])
    messages = [message for message in facts.messages if message.created_at <= to]
    changes = [change for change in facts.changes if change.at <= to]
    message_id = max((message.id for message in messages), default=checkpoint.message_id if checkpoint else -1)
    # The current state is read from changes after the snapshot: they must stay open. So must messages out of order.
    if to > facts.snapshot.at or any(m.id <= message_id for m in facts.messages if m.created_at > to):
        return checkpoint
    behind = Facts(facts.snapshot, tuple(messages), tuple(changes))
    created = facts.snapshot.state.created_at
    # Not from `behind`: a first assignment that lies open still says whose the conversation was at its start.
    before = checkpoint.life if checkpoint else Lifecycle.start(created, rules.at(created), first_assignee(facts))
    lifecycle = replay(behind, rules, before)
    lifecycle.events_before += len(lifecycle.events)
    lifecycle.events.clear()  # their rows stay: those to come are numbered after them
    return Checkpoint(lifecycle, to, message_id)


def resume(checkpoint: Checkpoint | None, rules: Ruling, news: Iterable[Message | Change]) -> Checkpoint | None:
    """The checkpoint to go on from; none if other rules, or a new fact, concern what lies behind."""
    if checkpoint is None or checkpoint.life.rules != rules.at(checkpoint.to):
        return None
    return None if any(_behind(checkpoint, fact) for fact in news) else checkpoint


def _behind(checkpoint: Checkpoint, fact: Message | Change) -> bool:
    if isinstance(fact, Message):
        return fact.id <= checkpoint.message_id or fact.created_at <= checkpoint.to
    return fact.at <= checkpoint.to or _contradicts(checkpoint.life, fact)


def _contradicts(lifecycle: Lifecycle, change: Change) -> bool:
    """The first assignment says whose the conversation was before."""
    if lifecycle.assigned or change.attribute != "assignee_id":
        return False
    before: object = orjson.loads(change.previous)
    return before != lifecycle.first_assignee
