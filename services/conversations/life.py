"""A conversation's life, told as one walk through its facts in the order of time, by Chatwoot's reporting rules.

| rule | 3.x to 4.3 | 4.4 and later | late 4.x (4.13 for certain) |
|---|---|---|---|
| resolving ends the wait | no | yes | yes |
| a bot's reply ends the wait | no | no | yes |
| the first response counts from | the bot's handover, else creation | same | the latest handover or opening, else \
the bot's own resolution, else creation |

Seconds are differences of whole seconds, as Chatwoot reckons them.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import orjson

from services.conversations.facts import Change, Message


class Rules(NamedTuple):
    """What depends on the release, and on whether the inbox has a bot."""

    resolving_ends_wait: bool
    bot_ends_wait: bool
    openings_count: bool
    has_bot: bool

    @classmethod
    def of(cls, release: str, *, has_bot: bool) -> "Rules":
        """The rules of a release such as "4.13.0"."""
        version = release_of(release)
        return cls(version >= (4, 4), version >= (4, 10), version >= (4, 10), has_bot)


def release_of(text: str) -> tuple[int, ...]:
    """Major and minor number: "4.13.0" is (4, 13)."""
    return tuple(int(part) for part in text.split(".")[:2])


class Event(NamedTuple):
    """One of Chatwoot's reporting events."""

    name: str
    seconds: int
    user_id: int | None
    start: datetime
    end: datetime


@dataclass(slots=True)
class Life:
    """How far the walk has come."""

    created: datetime
    rules: Rules
    assignee: int | None
    waiting: datetime | None
    answered: bool = False
    opened: datetime | None = None
    bot_resolved: datetime | None = None
    handed_over: bool = False
    person_wrote: bool = False
    status: str | None = None
    born_pending: bool = False
    resolved_at: datetime | None = None
    resolutions: int = 0
    reopenings: int = 0
    lost_changes: int = 0
    unanswered_since: datetime | None = None
    counts: dict[str, int] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def hear(self, message: Message) -> None:
        """A message was written."""
        self._count(message)
        if message.kind == "incoming":
            self.waiting = self.waiting or message.created_at
            self.unanswered_since = self.unanswered_since or message.created_at
        elif message.kind == "human":
            self.person_wrote = True
            if not message.private:
                self._answer(message.created_at, message.sender_id)
        elif message.kind == "bot" and not message.private and self.rules.bot_ends_wait:
            self.waiting = None

    def turn(self, change: Change) -> None:
        """An attribute changed."""
        value = orjson.loads(change.current)
        if change.attribute == "assignee_id":
            self.assignee = value
        elif change.attribute == "waiting_since" and value:
            # a handover starts the wait without any message
            self.waiting = self.waiting or datetime.fromisoformat(value)
        elif change.attribute == "first_reply_created_at" and value and not self.answered:
            # the reply itself was lost on its way: its moment is known, its author is not
            self._answer(datetime.fromisoformat(value), None)
        elif change.attribute == "status":
            self._turn_status(orjson.loads(change.previous), value, change.at)

    def _count(self, message: Message) -> None:
        keys = ["messages", message.kind, message.message_type] + ["private"] * message.private
        for key in dict.fromkeys(keys):
            self.counts[key] = self.counts.get(key, 0) + 1

    def _answer(self, at: datetime, sender_id: int | None) -> None:
        if not self.answered:
            self.answered = True
            self._note("first_response", self._clock_start(), at, sender_id)
        elif self.waiting:
            self._note("reply_time", self.waiting, at, self.assignee)
        self.waiting = self.unanswered_since = None

    def _clock_start(self) -> datetime:
        return self.opened or self.bot_resolved or self.created

    def _turn_status(self, previous: str, current: str, at: datetime) -> None:
        if self.status is None:
            # only a bot's inbox lets conversations begin as pending
            self.born_pending = previous == "pending"
        self.lost_changes += self.status not in (None, previous)
        self.reopenings += previous == "resolved"
        self.status = current
        if current == "resolved":
            self._resolve(at)
        elif current == "open":
            self._open(previous, at)

    def _resolve(self, at: datetime) -> None:
        self.resolutions += 1
        self.resolved_at = at
        self._note("conversation_resolved", self.created, at, self.assignee)
        if self._has_bot() and not self.person_wrote:
            self._note("conversation_bot_resolved", self.created, at, self.assignee)
            self.bot_resolved = at if self.rules.openings_count else None
        if self.rules.resolving_ends_wait:
            self.waiting = None

    def _open(self, previous: str, at: datetime) -> None:
        if self.rules.openings_count:
            self._note("conversation_opened", self.resolved_at or at, at, self.assignee)
            self.opened = at
        if previous == "pending" and self._has_bot() and not self.handed_over:
            self.handed_over, self.opened = True, at
            self._note("conversation_bot_handoff", self.created, at, self.assignee)

    def _has_bot(self) -> bool:
        return self.rules.has_bot or self.born_pending

    def _note(self, name: str, start: datetime, end: datetime, user_id: int | None) -> None:
        self.events.append(Event(name, int(end.timestamp()) - int(start.timestamp()), user_id, start, end))
