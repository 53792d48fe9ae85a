"""One record of chatwoot.webhooks → the facts about a conversation in it; a batch of them → each fact once."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from pydantic import ValidationError

from schemas.bounds import moment_at
from schemas.chatwoot import rest, webhooks
from schemas.chatwoot.conversations import ConversationEvent, MessageEvent
from schemas.values import json_text
from services.conversations.chatwoot.api_facts import facts_seen
from services.conversations.figures.facts import (
    Change,
    Facts,
    Message,
    Rating,
    Snapshot,
    better_message,
    fresher,
)
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


def newest(event: ConversationFacts) -> datetime:
    """When the newest thing happened of which it tells: a conversation is kept by that."""
    facts, state = event.facts, event.facts.snapshot.state
    moments = [state.last_activity_at or state.created_at]
    moments += [one.created_at for one in facts.messages]
    moments += [one.at for one in facts.changes] + [one.at for one in facts.ratings]
    return max(moments)


def without_contact(event: ConversationFacts) -> ConversationFacts:
    """The same facts, and whose conversation it is not among them."""
    facts = event.facts
    state = facts.snapshot.state._replace(contact_id=None)
    messages = tuple(
        one._replace(sender_id=None) if one.kind == "incoming" or one.speaker == "contact" else one
        for one in facts.messages
    )
    return replace(event, facts=facts._replace(snapshot=facts.snapshot._replace(state=state), messages=messages))


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


class FactBatch:
    """The facts of a batch by their keys, each with the records it came from: so that we can say which were news."""

    def __init__(self, events: Sequence[ConversationFacts]) -> None:
        self.keys = {event.key for event in events}
        self.messages: dict[tuple[Key, object], Message] = {}
        self.changes: dict[tuple[Key, object], Change] = {}
        self.ratings: dict[tuple[Key, object], Rating] = {}
        self._snapshots: list[tuple[Key, Snapshot, Record]] = []
        self._sources: dict[Any, list[Record]] = defaultdict(list)
        for event in events:
            self._take(event)

    def _take(self, event: ConversationFacts) -> None:
        key, facts = event.key, event.facts
        self._snapshots.append((key, facts.snapshot, event.record))
        for message in facts.messages:
            known = self.messages.get((key, message.id))
            self._put(self.messages, (key, message.id), better_message(known, message), event.record)
        for change in facts.changes:
            self._put(self.changes, (key, change), change, event.record)
        for rating in facts.ratings:
            name = rating_key(rating.message_id)
            self._put(self.ratings, (key, name), max(rating, self.ratings.get((key, name), rating)), event.record)

    def _put(self, facts: dict[Any, Any], key: Any, fact: Any, record: Record) -> None:
        # Who repeats what another record of the batch said is no source: label changes always come twice (Chatwoot's
        # issues 5966 and 7402), and the second is a duplicate.
        if facts.get(key) != fact:
            facts[key] = fact
            self._sources[key].append(record)

    def sources(self, keys: Iterable[tuple[Key, object]]) -> set[Record]:
        """The records that these facts came from."""
        return {record for key in keys for record in self._sources[key]}

    def facts_of(self, keys: Iterable[tuple[Key, object]]) -> dict[Key, list[Message | Change]]:
        """The messages and changes of these, by conversation."""
        facts: dict[Key, list[Message | Change]] = defaultdict(list)
        for name in keys:
            if fact := self.messages.get(name) or self.changes.get(name):
                facts[name[0]].append(fact)
        return facts

    def refresh(self, known: Mapping[Key, Snapshot | None]) -> tuple[dict[Key, Snapshot], dict[Record, Key]]:
        """The freshest snapshot of each conversation, and the records whose snapshot was news."""
        freshest = dict(known)
        news: dict[Record, Key] = {}
        for key, snapshot, record in self._snapshots:
            before = freshest[key]
            freshest[key] = fresher(before, snapshot)
            # Fresher is not yet news: a repeat is sent later and shows the same.
            if freshest[key] is snapshot and (before is None or before.content != snapshot.content):
                news[record] = key
        return {key: snapshot for key, snapshot in freshest.items() if snapshot is not None}, news


def rating_key(message_id: int) -> str:
    """A survey's answer is another fact than the survey's message."""
    return f"answer to {message_id}"
