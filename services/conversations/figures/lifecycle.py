"""A conversation's lifecycle: one walk through its facts in the order of time, by the rules of its release.

Seconds are differences of whole seconds, as Chatwoot reckons them.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

import orjson

from schemas.bounds import MOST_INT4, moment_in
from services.conversations.figures.facts import STATUS_SEEN, Change, Message
from services.conversations.figures.rules import Rules

# A bot's handover first begins the wait that nobody was in, then opens: 0.04 to 0.3 s apart in the recordings.
_HANDING_OVER = timedelta(seconds=2)
Opener = Literal["bot", "person", "bot?", "person?"]


class ReportingEvent(NamedTuple):
    """What Chatwoot's reports count: an answer, a resolution, a handover. `approximate`: it ended at the latest at
    `end`, or is a handover that may have been a person's."""

    name: str
    seconds: int
    user_id: int | None
    start: datetime
    end: datetime
    approximate: bool = False


@dataclass(slots=True)
class Lifecycle:
    """How far the walk has come."""

    created: datetime
    rules: Rules
    first_assignee: int | None
    assignee: int | None
    waiting: datetime | None
    assigned: bool = False
    assigned_at: datetime | None = None  # None while it is nobody's
    answered: bool = False
    first_reply_missed: bool = False  # what was written first was no answer: Chatwoot then never notes a first one
    opened: datetime | None = None
    bot_resolved: datetime | None = None
    handed_over: bool = False
    person_wrote: bool = False
    status: str | None = None
    born_pending: bool = False
    reopenings: int = 0
    resolutions: int = 0
    lost_changes: int = 0
    approximate: int = 0
    unknown_openers: int = 0
    unprompted_wait: datetime | None = None  # began without any message
    guessing: bool = False
    unanswered_since: datetime | None = None
    last_message_at: datetime | None = None
    first_response: ReportingEvent | None = None
    last_resolution: ReportingEvent | None = None
    counts: dict[str, int] = field(default_factory=dict)
    events_before: int = 0
    events: list[ReportingEvent] = field(default_factory=list)

    @classmethod
    def start(cls, created: datetime, rules: Rules, assignee: int | None) -> "Lifecycle":
        """A conversation begins, and with it the wait."""
        return cls(created, rules, assignee, assignee, created)

    def apply(self, fact: Message | Change, rules: Rules) -> None:
        """The next fact, by the rules of its time."""
        self.rules = rules
        if isinstance(fact, Message):
            self._apply_message(fact)
        else:
            self._apply_change(fact)

    def _apply_message(self, message: Message) -> None:
        self._count(message)
        self.last_message_at = message.created_at
        if message.kind == "incoming":
            self.waiting = self.waiting or message.created_at
            self.unanswered_since = self.unanswered_since or message.created_at
        self.person_wrote = self.person_wrote or message.is_users
        # A private note answers nobody, and a greeting is a template: neither counts (Chatwoot's human_response?).
        if message.private or message.message_type != "outgoing":
            return
        if self.rules.is_answer(message):
            first = not self.answered and not self.first_reply_missed
            self._answer(message.created_at, message.sender_id, first=first)
        elif message.is_bots:
            self.waiting = None if self.rules.bot_ends_wait else self.waiting
        elif message.speaker is not None and message.kind != "campaign":
            self.first_reply_missed = True

    def _apply_change(self, change: Change) -> None:
        value = orjson.loads(change.current)
        if change.attribute == "assignee_id":
            self.assignee, self.assigned = value, True
            self.assigned_at = change.at if value is not None else None
        elif change.attribute == "waiting_since" and value and self.waiting is None:
            # a handover starts the wait without any message
            self.waiting = self.unprompted_wait = moment_in(value)
        elif change.attribute == "first_reply_created_at" and not self.answered and (at := moment_in(value)):
            # the reply itself was lost on its way: its moment is known, its author is not
            self._answer(at, None, first=True)
        elif change.attribute == "status":
            self._turn_status(orjson.loads(change.previous), value, change.at)
        elif change.attribute == STATUS_SEEN and value != self.status:
            self._see_status(value, datetime.fromisoformat(orjson.loads(change.previous)))

    def _count(self, message: Message) -> None:
        marks = ["outgoing"] * (message.message_type == "outgoing") + ["private"] * message.private
        for key in ("messages", message.kind, *marks):
            self.counts[key] = self.counts.get(key, 0) + 1

    def _answer(self, at: datetime, sender_id: int | None, *, first: bool) -> None:
        if first:
            self.answered = True
            self.first_response = self._book("first_response", self._clock_start(), at, sender_id)
        elif self.waiting:
            # To the assignee, whoever wrote it; the first response to its author (reporting_event_listener.rb).
            self._book("reply_time", self.waiting, at, self.assignee)
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

    def _see_status(self, seen: str, at: datetime) -> None:
        """It stands as no webhook told: it turned before. What it was from its beginning on is no turn."""
        if self.status is None and seen != "resolved":
            return
        self.approximate += 1
        self.guessing = True
        self._turn_status(self.status or "open", seen, at)
        self.guessing = False

    def _resolve(self, at: datetime) -> None:
        self.resolutions += 1
        # Each from the creation: Chatwoot counts the first turn's time again in the second.
        self.last_resolution = self._book("conversation_resolved", self.created, at, self.assignee)
        if self._has_bot() and not self.person_wrote:
            self._book("conversation_bot_resolved", self.created, at, self.assignee)
            self.bot_resolved = at if self.rules.openings_count else None
        if self.rules.resolving_ends_wait:
            self.waiting = None

    def _open(self, previous: str, at: datetime) -> None:
        # 0 s where nothing was resolved before: Chatwoot notes the first opening so, too.
        if self.rules.openings_count:
            before = self.last_resolution.end if self.last_resolution else at
            self._book("conversation_opened", before, at, self.assignee)
            self.opened = at
        if previous == "pending" and self._has_bot() and not self.handed_over:
            self._open_pending(self._opener(at), at)

    def _open_pending(self, opener: Opener, at: datetime) -> None:
        """Only a bot's token makes a handover; where it is not certain whose it was, the figure says so."""
        doubtful = opener in ("bot?", "person?")
        self.unknown_openers += doubtful
        if opener in ("bot", "bot?"):
            self.handed_over, self.opened = True, at
            self._book("conversation_bot_handoff", self.created, at, self.assignee, doubtful=doubtful)

    def _opener(self, at: datetime) -> Opener:
        """No webhook names who turned a status. A bot's handover leaves a wait that began without a message; it does
        not leave nobody waiting, by releases where its words end the wait, nor a person put in charge with it."""
        if self.unprompted_wait and timedelta(0) <= at - self.unprompted_wait <= _HANDING_OVER:
            return "bot"
        if self.waiting is None and self.rules.bot_ends_wait and not self.guessing:
            return "person"
        return "person?" if self.assigned_at == at else "bot?"

    def _has_bot(self) -> bool:
        return self.rules.has_bot or self.born_pending

    def _book(
        self, name: str, start: datetime, end: datetime, user_id: int | None, *, doubtful: bool = False
    ) -> ReportingEvent:
        # Whole seconds each, then their difference; the column is an int4, and moments may be 230 years apart.
        seconds = int(end.timestamp()) - int(start.timestamp())
        event = ReportingEvent(
            name, max(-MOST_INT4, min(seconds, MOST_INT4)), user_id, start, end, self.guessing or doubtful
        )
        self.events.append(event)
        return event
