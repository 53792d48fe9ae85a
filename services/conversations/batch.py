"""A batch of webhooks as facts, each once, with the records it came from: so that we can say which were news."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.conversations.events import ConversationFacts, Key
from services.conversations.figures.facts import Change, Message, Rating, Snapshot, better_message, fresher
from services.kernel import Record


class FactBatch:
    """The facts of a batch by their keys; several records may hold the same fact."""

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
