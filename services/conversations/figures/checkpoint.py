"""Why a conversation of 5,000 messages is not read 5,000 times: the walk through what is long past is kept.

Only the walk is kept, never a figure of its own: a fact that arrives late for what lies behind makes it begin anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import orjson

from services.conversations.figures.facts import Change, Facts, Message
from services.conversations.figures.figures import first_assignee, live, moment_of, timeline
from services.conversations.figures.lifecycle import Life
from services.conversations.figures.rules import Ruling

LONG = 300
KEPT_OPEN = 100  # webhooks overtake each other by seconds, so the last facts stay open


@dataclass(frozen=True, slots=True)
class Walked:
    """The walk up to a moment; every message up to it has an id up to `message_id`, and none after it has."""

    life: Life
    to: datetime
    message_id: int


def settle(
    facts: Facts, rules: Ruling, walked: Walked | None, *, long: int = LONG, kept_open: int = KEPT_OPEN
) -> Walked | None:
    """Go on with the walk once many facts lie open, but for the last of them."""
    told = timeline(facts)
    if len(told) < long:
        return walked
    to = moment_of(told[-kept_open])
    messages = [message for message in facts.messages if message.created_at <= to]
    changes = [change for change in facts.changes if change.at <= to]
    message_id = max((message.id for message in messages), default=walked.message_id if walked else -1)
    # How things stand is read from changes after the snapshot: they must stay open. So must messages out of order.
    if to > facts.snapshot.at or any(m.id <= message_id for m in facts.messages if m.created_at > to):
        return walked
    behind = Facts(facts.snapshot, tuple(messages), tuple(changes))
    life = live(
        behind,
        rules,
        walked.life if walked else Life.begun(_born(facts), rules.at(_born(facts)), first_assignee(facts)),
    )
    life.events_before += len(life.events)
    life.events.clear()
    return Walked(life, to, message_id)


def continued(walked: Walked | None, rules: Ruling, told: Iterable[Message | Change]) -> Walked | None:
    """The walk to go on from; none if other rules, or a new fact, concern what lies behind."""
    if walked is None or walked.life.rules != rules.at(walked.to) or any(_behind(walked, fact) for fact in told):
        return None
    return walked


def _behind(walked: Walked, fact: Message | Change) -> bool:
    if isinstance(fact, Message):
        return fact.id <= walked.message_id or fact.created_at <= walked.to
    return fact.at <= walked.to or _contradicts(walked.life, fact)


def _contradicts(life: Life, change: Change) -> bool:
    """The first assignment says whose the conversation was before."""
    if life.assigned or change.attribute != "assignee_id":
        return False
    before: object = orjson.loads(change.previous)
    return before != life.first_assignee


def _born(facts: Facts) -> datetime:
    return facts.snapshot.state.created_at
