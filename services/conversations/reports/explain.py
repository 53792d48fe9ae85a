"""Each figure of a conversation with the facts that made it: the walk, told step by step."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import orjson

from services.conversations.figures.facts import STATUS_SEEN, Change, Facts, Message
from services.conversations.figures.figures import first_assignee, moment_of, timeline
from services.conversations.figures.lifecycle import Life
from services.conversations.figures.reporting_events import Event
from services.conversations.figures.rules import Ruling


class Step(NamedTuple):
    """A fact, and the reporting events that it made."""

    at: datetime
    fact: str
    made: tuple[str, ...]


def explain(facts: Facts, rules: Ruling) -> list[Step]:
    """The whole life of a conversation as steps, the last of them how it stands."""
    begun = facts.snapshot.state.created_at
    life = Life.begun(begun, rules.at(begun), first_assignee(facts))
    return [Step(begun, "conversation begins, and the customer's wait with it", ()), *_steps(life, facts, rules)]


def _steps(life: Life, facts: Facts, rules: Ruling) -> Iterator[Step]:
    for fact in timeline(facts):
        known, lost, unknown = len(life.events), life.lost_changes, life.unknown_openers
        life.go_on(fact, rules.at(moment_of(fact)))
        gap = ("a status change before this one was lost on its way",) * (life.lost_changes - lost)
        doubt = ("whether a bot or a person opened it, no webhook tells",) * (life.unknown_openers - unknown)
        told = _told(fact) if isinstance(fact, Message) else _changed(fact)
        yield Step(moment_of(fact), told, (*gap, *map(_event, life.events[known:]), *doubt))
    for rating in sorted(facts.ratings, key=lambda rating: rating.at):
        yield Step(rating.at, f"survey {rating.message_id} was answered with {rating.rating}", ())


def _told(message: Message) -> str:
    marks = " (private)" * message.private + " (deleted since)" * message.deleted
    return f"message {message.id}, {message.kind}, from {message.sender_id or 'nobody'}{marks}"


def _changed(change: Change) -> str:
    if change.attribute == STATUS_SEEN:
        since = datetime.fromisoformat(orjson.loads(change.previous))
        return f"the API shows it {_plain(change.current)}, since about {since:%F %T}"
    return f"{change.attribute}: {_plain(change.previous)} → {_plain(change.current)}"


def _event(event: Event) -> str:
    booked = f"booked to {event.user_id}" if event.user_id else "booked to nobody"
    about = "about " * event.approximate
    return f"{event.name}: {about}{event.seconds} s, from {event.start:%F %T} to {event.end:%F %T}, {booked}"


def _plain(text: str) -> str:
    value = orjson.loads(text)
    return "none" if value in (None, [], "") else ", ".join(value) if isinstance(value, list) else str(value)
