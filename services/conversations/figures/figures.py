"""facts → figures, purely: the same set of facts gives the same figures, whatever order they arrived in."""

from copy import deepcopy
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from schemas.bounds import moment_in
from services.conversations.figures.facts import STATUS_SEEN, Change, ConversationState, Facts, Message, Rating
from services.conversations.figures.lifecycle import Lifecycle, ReportingEvent
from services.conversations.figures.rules import Ruling


class Figures(NamedTuple):
    """What the reports and the row of a conversation need."""

    state: ConversationState
    events: tuple[ReportingEvent, ...]
    events_before: int
    counts: dict[str, int]
    first_response: ReportingEvent | None
    last_resolution: ReportingEvent | None
    resolutions: int
    reopenings: int
    unanswered_since: datetime | None
    rating: Rating | None
    lost_changes: int
    approximate: int
    unknown_openers: int
    last_activity_at: datetime


def figures(facts: Facts, rules: Ruling, before: Lifecycle | None = None) -> Figures:
    """Reckon one conversation from all that is known of it; facts need not hold what went into `before`."""
    lifecycle = replay(facts, rules, before)
    state = current_state(facts)
    return Figures(
        state=state,
        events=tuple(lifecycle.events),
        events_before=lifecycle.events_before,
        counts=lifecycle.counts,
        first_response=lifecycle.first_response,
        last_resolution=lifecycle.last_resolution,
        resolutions=lifecycle.resolutions,
        reopenings=lifecycle.reopenings,
        unanswered_since=lifecycle.unanswered_since,
        rating=max(facts.ratings, key=lambda rating: rating[1:], default=None),
        # the last change we know of does not lead to how things stand: one got lost on its way
        lost_changes=lifecycle.lost_changes + (lifecycle.status not in (None, state.status)),
        approximate=lifecycle.approximate,
        unknown_openers=lifecycle.unknown_openers,
        last_activity_at=max(filter(None, (state.created_at, state.last_activity_at, lifecycle.last_message_at))),
    )


def replay(facts: Facts, rules: Ruling, before: Lifecycle | None = None) -> Lifecycle:
    """Apply all facts in the order of time, to a new lifecycle or to a copy of the one before."""
    created = facts.snapshot.state.created_at
    lifecycle = deepcopy(before) or Lifecycle.start(created, rules.at(created), first_assignee(facts))
    for fact in timeline(facts):
        lifecycle.apply(fact, rules.at(moment_of(fact)))
    return lifecycle


def moment_of(fact: Message | Change) -> datetime:
    """When it was."""
    return fact.created_at if isinstance(fact, Message) else fact.at


def timeline(facts: Facts) -> list[Message | Change]:
    """Messages and changes in the order of time."""
    both: list[Message | Change] = [*facts.messages, *facts.changes]
    return sorted(both, key=_when)


def current_state(facts: Facts) -> ConversationState:
    """How the conversation stands: the freshest snapshot, and what is known to have changed after it."""
    state = facts.snapshot.state
    later = [change for change in facts.changes if change.at > facts.snapshot.at and change.attribute != STATUS_SEEN]
    for change in sorted(later, key=_when):
        state = _changed(state, change)
    return state


def _changed(state: ConversationState, change: Change) -> ConversationState:
    value: Any = orjson.loads(change.current)
    if change.attribute == "label_list":
        return state._replace(labels=tuple(sorted(value or ())))
    if change.attribute == "assignee_id":
        same = value == state.assignee_id
        kind = "User" if value is not None else None
        return state if same else state._replace(assignee_id=value, assignee_type=kind, assignee_name=None)
    if change.attribute in _MOMENTS:
        value = moment_in(value)
    return state._replace(**{change.attribute: value})


_MOMENTS = frozenset({"first_reply_created_at", "waiting_since", "snoozed_until"})


def first_assignee(facts: Facts) -> int | None:
    """Whose the conversation was before anybody was assigned."""
    changes = [change for change in facts.changes if change.attribute == "assignee_id"]
    if changes:
        first: Any = orjson.loads(min(changes, key=_when).previous)
        return int(first) if first is not None else None
    return facts.snapshot.state.assignee_id if facts.snapshot.state.assignee_type == "User" else None


def _when(fact: Message | Change) -> tuple[datetime, int, str]:
    # what was written opens and closes conversations, so within one millisecond messages come first
    if isinstance(fact, Message):
        return fact.created_at, fact.id, ""
    return fact.at, _AFTER_MESSAGES, "\0".join((fact.attribute, fact.previous, fact.current))


_AFTER_MESSAGES = 2**63
