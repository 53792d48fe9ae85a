"""One record of chatwoot.webhooks → the facts about a conversation in it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar
from uuid import UUID

from pydantic import ValidationError

from schemas.bounds import moment_at
from schemas.chatwoot import rest, webhooks
from schemas.chatwoot.conversations import ConversationEvent, MessageEvent
from schemas.values import json_text
from services.conversations.chatwoot.api_facts import facts_seen
from services.conversations.figures.facts import Facts
from services.conversations.webhook_facts import facts_of
from services.kernel import Invalid, Record
from services.kernel.forgetting.subjects import Subject, subjects_named

Key = tuple[UUID, int]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class ConversationFacts:
    """One webhook about a conversation."""

    record: Record
    key: Key
    facts: Facts
    inbox_name: str | None = None


def read(record: Record) -> ConversationFacts | None:
    """The facts of a webhook about a conversation or a message, or of a look through the API; None for all others."""
    if record.event == rest.CONVERSATION:
        # An import's record is made as Chatwoot answers, so its acceptance is the moment that it was seen.
        history = _parse(record, partial(json_text.read, rest.History.model_validate_json))
        return ConversationFacts(
            record, (record.store, history.conversation.id), facts_seen(history, seen_at=record.received_at)
        )
    # By the header alone: what is about contacts or typing need not be parsed.
    if record.event not in webhooks.CONVERSATION_EVENTS:
        return None
    event, sent_at = _parse(record, lambda body: webhooks.parse(record.event, body)), _sent_at(record)
    if isinstance(event, MessageEvent):
        # A conversation's own body does not say what its inbox is called.
        key, inbox_name = (record.store, event.conversation.id), event.inbox.name if event.inbox else None
        return ConversationFacts(record, key, facts_of(event, sent_at=sent_at), inbox_name)
    if isinstance(event, ConversationEvent):
        return ConversationFacts(record, (record.store, event.id), facts_of(event, sent_at=sent_at))
    return None


def subjects(event: ConversationFacts) -> Iterable[Subject]:
    """Whose conversation it is. By its number, too: not every body says who the contact is."""
    return subjects_named(conversations=[event.key[1]], contacts=[event.facts.snapshot.state.contact_id])


def _parse(record: Record, parse: Callable[[bytes], T]) -> T:
    try:
        return parse(record.value)
    except ValidationError as error:
        # Where and what kind of fault; the values are personal data. Three say who sent it, in one line.
        faults = sorted({f"{'.'.join(map(str, fault['loc']))}: {fault['type']}" for fault in error.errors()})
        raise Invalid(f"not a {record.event} as Chatwoot sends it: {'; '.join(faults[:3])}") from error


def _sent_at(record: Record) -> datetime:
    """When Chatwoot sent it; releases before 4.11.2 do not say, then when it was accepted."""
    return moment_at(record.header("chatwoot-timestamp")) or record.received_at
