"""One webhook → its facts."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, get_args

import orjson

from schemas.bounds import MOST_INT4, NAME_CHARACTERS, moment_at, moment_in, text
from schemas.chatwoot.conversations import Changed, Conversation, ConversationEvent, ConversationStatus, MessageEvent
from services.conversations.figures.facts import (
    TRACKED,
    Change,
    ConversationState,
    Facts,
    Message,
    MessageKind,
    Rating,
    Snapshot,
    Speaker,
)

_MOST_LABELS = 2_000  # characters, before and after: a change is its own key, and an index holds 2.7 kB
_BOTS = frozenset({"agent_bot", "captain_assistant"})
_KINDS: dict[Speaker | None, MessageKind] = {"user": "human", "bot": "bot", "contact": "unknown", None: "unknown"}


def facts_of(event: ConversationEvent | MessageEvent, *, sent_at: datetime) -> Facts:
    """The facts of one webhook; `sent_at` is Chatwoot's send time, or the arrival where the release names none."""
    if isinstance(event, MessageEvent):
        snapshot = snapshot_of(event.conversation, event.created_at, sent_at=sent_at)
        return Facts(snapshot, messages=_messages(event), ratings=_ratings(event, snapshot))
    # `status_changed` carries no change (its field is null): `conversation_updated` does, and the moment with it.
    at = _changed_at(event)
    snapshot = snapshot_of(event, at or datetime.fromtimestamp(event.created_at, UTC), sent_at=sent_at)
    return Facts(snapshot, changes=_changes(event, at) if at else ())


def kind_of(event: MessageEvent) -> MessageKind:
    """Who speaks, as Chatwoot's reports see it: only `human` ever answers a customer."""
    if event.message_type == "incoming":
        return "incoming"
    if event.message_type == "template":
        return "survey" if event.content_type == "input_csat" else "template"
    marks = event.content_attributes
    # A rule's message has no sender and a campaign's may have one, so both are asked before the sender is.
    if marks and marks.automation_rule_id:
        return "automation"
    if event.additional_attributes and event.additional_attributes.campaign_id:
        return "campaign"
    # a reply written in the channel's own app comes back as an echo without a sender
    if marks and marks.external_echo:
        return "human"
    return _KINDS[speaker_of(event)]


def speaker_of(event: MessageEvent) -> Speaker | None:
    """Chatwoot's own `sender_type`: a contact's form is the only one without a type."""
    if event.sender is None:
        return None
    kind = event.sender.type
    return "bot" if kind in _BOTS else "user" if kind == "user" else "contact"


def _messages(event: MessageEvent) -> tuple[Message, ...]:
    if event.message_type == "activity":  # what Chatwoot notes about the conversation: nobody wrote it
        return ()
    deleted = bool(event.content_attributes and event.content_attributes.deleted)
    sender_id = event.sender.id if event.sender else None
    marks = event.message_type, event.private, sender_id, event.created_at, deleted
    return (Message(event.id, kind_of(event), *marks, speaker_of(event)),)


def _ratings(event: MessageEvent, snapshot: Snapshot) -> tuple[Rating, ...]:
    marks = event.content_attributes
    answer = marks.submitted_values.csat_survey_response if marks and marks.submitted_values else None
    if answer is None or answer.rating is None:
        return ()
    return (Rating(event.id, snapshot.at, snapshot.sent_at, answer.rating),)


def _changed_at(event: ConversationEvent) -> datetime | None:
    moved = event.changed("updated_at")
    return moment_in(moved.current_value) if moved else None


def _changes(event: ConversationEvent, at: datetime) -> tuple[Change, ...]:
    steps = ((name, event.changed(name)) for name in TRACKED)
    return tuple(
        Change(name, at, text_of(step.previous_value), text_of(step.current_value))
        for name, step in steps
        if step and _is_step(name, step)
    )


def _is_step(attribute: str, step: Changed) -> bool:
    """Both values are what such an attribute can be; else the step is left out, and the snapshot says how it stands."""
    # A fact is for good: what cannot be replayed today could not be tomorrow, whatever comes after it.
    is_sound = _SOUND[attribute]
    if not (is_sound(step.previous_value) and is_sound(step.current_value)):
        return False
    return attribute != "label_list" or len(text_of([step.previous_value, step.current_value])) <= _MOST_LABELS


def _is_id(value: Any) -> bool:
    return value is None or (type(value) is int and 1 <= value <= MOST_INT4)


def _is_name(value: Any) -> bool:
    return value is None or (isinstance(value, str) and text(value, NAME_CHARACTERS) == value)


def _are_names(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(one is not None and _is_name(one) for one in value))


def _is_moment(value: Any) -> bool:
    return value is None or moment_in(value) is not None


_SOUND: dict[str, Callable[[Any], bool]] = {
    "status": lambda value: value in get_args(ConversationStatus),
    "assignee_id": _is_id,
    "team_id": _is_id,
    "priority": _is_name,
    "label_list": _are_names,
    "first_reply_created_at": _is_moment,
    "waiting_since": _is_moment,
    "snoozed_until": _is_moment,
}


def snapshot_of(seen: Conversation, at_least: datetime, *, sent_at: datetime) -> Snapshot:
    """The state that a body shows; `at_least` is how old it can be at most where the release does not say."""
    assignee, team, sender = seen.meta.assignee, seen.meta.team, seen.meta.sender
    session = seen.contact_inbox
    state = ConversationState(
        contact_id=sender.id if sender else session.contact_id if session else None,
        inbox_id=seen.inbox_id,
        status=seen.status,
        assignee_id=assignee.id if assignee else None,
        assignee_type=_assignee_type(seen),
        assignee_name=assignee.name if assignee else None,
        team_id=team.id if team else None,
        priority=seen.priority,
        labels=tuple(sorted(seen.labels)),
        first_reply_created_at=seen.first_reply_created_at,
        waiting_since=moment_at(seen.waiting_since),
        snoozed_until=seen.snoozed_until,
        last_activity_at=moment_at(seen.last_activity_at or seen.timestamp),
        created_at=datetime.fromtimestamp(seen.created_at, UTC),
    )
    # Eight bytes: it only tells apart what one conversation showed within one moment.
    digest = hashlib.blake2b(orjson.dumps(tuple(state)), digest_size=8).digest()
    return Snapshot(_version(seen, at_least), sent_at, digest, state)


def _assignee_type(seen: Conversation) -> str | None:
    if seen.meta.assignee is None:
        return None
    return seen.meta.assignee_type or ("AgentBot" if seen.meta.assignee.type in _BOTS else "User")


def _version(seen: Conversation, at_least: datetime) -> datetime:
    # Since 4.0.2 a body says when the row was last written; earlier we know only what it cannot be older than.
    if seen.updated_at:
        return datetime.fromtimestamp(seen.updated_at, UTC)
    return max([at_least, *(message.updated_at for message in seen.messages if message.updated_at)])


def text_of(value: Any) -> str:
    """A change's value: JSON text."""
    return orjson.dumps(value).decode()
