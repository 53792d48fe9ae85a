"""Each figure of a conversation with the facts that made it: its lifecycle, step by step."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import orjson

from services.conversations.figures.facts import STATUS_SEEN, Change, Facts, Message
from services.conversations.figures.figures import first_assignee, moment_of, timeline
from services.conversations.figures.lifecycle import Lifecycle, ReportingEvent
from services.conversations.figures.rules import Ruling
from services.kernel.printable import utc


class ExplainedFact(NamedTuple):
    """A fact, and the reporting events that it made."""

    at: datetime
    fact: str
    made: tuple[str, ...]


def explain(facts: Facts, rules: Ruling) -> list[ExplainedFact]:
    """The whole life of a conversation as steps, the last of them how it stands."""
    created = facts.snapshot.state.created_at
    lifecycle = Lifecycle.start(created, rules.at(created), first_assignee(facts))
    return [
        ExplainedFact(created, "conversation begins, and the customer's wait with it", ()),
        *_steps(lifecycle, facts, rules),
    ]


def _steps(lifecycle: Lifecycle, facts: Facts, rules: Ruling) -> Iterator[ExplainedFact]:
    for fact in timeline(facts):
        known, lost, unknown = len(lifecycle.events), lifecycle.lost_changes, lifecycle.unknown_openers
        lifecycle.apply(fact, rules.at(moment_of(fact)))
        gap = ("a status change before this one was lost on its way",) * (lifecycle.lost_changes - lost)
        doubt = ("whether a bot or a person opened it, no webhook tells",) * (lifecycle.unknown_openers - unknown)
        sentence = _message(fact) if isinstance(fact, Message) else _changed(fact)
        yield ExplainedFact(moment_of(fact), sentence, (*gap, *map(_event, lifecycle.events[known:]), *doubt))
    for rating in sorted(facts.ratings, key=lambda rating: rating.at):
        yield ExplainedFact(rating.at, f"survey {rating.message_id} was answered with {rating.rating}", ())


def _message(message: Message) -> str:
    marks = " (private)" * message.private + " (deleted since)" * message.deleted
    return f"message {message.id}, {message.kind}, from {message.sender_id or 'nobody'}{marks}"


def _changed(change: Change) -> str:
    if change.attribute == STATUS_SEEN:
        since = datetime.fromisoformat(orjson.loads(change.previous))
        return f"the API shows it {_plain(change.current)}, since about {utc(since)}"
    return f"{change.attribute}: {_plain(change.previous)} → {_plain(change.current)}"


def _event(event: ReportingEvent) -> str:
    booked = f"booked to {event.user_id}" if event.user_id else "booked to nobody"
    about = "about " * event.approximate
    return f"{event.name}: {about}{event.seconds} s, from {utc(event.start)} to {utc(event.end)}, {booked}"


def _plain(text: str) -> str:
    value = orjson.loads(text)
    return "none" if value in (None, [], "") else ", ".join(value) if isinstance(value, list) else str(value)
