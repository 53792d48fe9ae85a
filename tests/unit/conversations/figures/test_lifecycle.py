"""A conversation's life, one circumstance at a time."""

from datetime import timedelta

import pytest

from schemas.chatwoot.conversations import ConversationStatus
from services.conversations.figures.facts import (
    STATUS_SEEN,
    Change,
    ConversationState,
    Facts,
    Message,
    MessageKind,
    Snapshot,
)
from services.conversations.figures.figures import figures
from services.conversations.figures.rules import Dated, Rules
from tests.unit.conversations.conversations import BEGIN


def test_lost_first_reply_is_known_by_its_moment_but_not_by_its_author() -> None:
    """The reply's own webhook never came; the conversation's says when it was."""
    moment = BEGIN + timedelta(seconds=40)
    change = Change("first_reply_created_at", moment + timedelta(seconds=1), "null", f'"{moment.isoformat()}"')
    ours = figures(conversation(changes=(change,)), RULES)
    assert ours.first_response is not None
    assert (ours.first_response.seconds, ours.first_response.user_id) == (40, None)


def test_lost_status_change_is_marked_and_not_invented() -> None:
    """It was resolved, then it is reopened from snoozed: what lies between is unknown."""
    steps = (status(10, "open", "resolved"), status(20, "snoozed", "open"))
    ours = figures(conversation(changes=steps), RULES)
    assert ours.lost_changes == 1
    assert [event.seconds for event in ours.events if event.name == "conversation_resolved"] == [10]


def test_state_that_no_change_leads_to_shows_a_lost_change() -> None:
    ours = figures(conversation(seen_as="resolved", changes=(status(10, "resolved", "open"),)), RULES)
    assert (ours.state.status, ours.lost_changes) == ("resolved", 1)


@pytest.mark.parametrize("kind", ["bot", "automation", "campaign", "template", "survey", "unknown"])
def test_only_a_person_answers(kind: MessageKind) -> None:
    """What machines write is counted, and leaves the customer unanswered."""
    asked = Message(1, "incoming", "incoming", False, 5, BEGIN + timedelta(seconds=1), False)
    written = Message(2, kind, "outgoing", False, None, BEGIN + timedelta(seconds=9), False)
    ours = figures(conversation(messages=(asked, written)), RULES)
    assert (ours.events, ours.counts[kind], ours.unanswered_since) == ((), 1, asked.created_at)


def test_private_note_is_no_answer() -> None:
    note = Message(1, "human", "outgoing", True, 7, BEGIN + timedelta(seconds=9), False)
    assert figures(conversation(messages=(note,)), RULES).events == ()


def test_deleted_answer_remains_the_first_response() -> None:
    """Chatwoot's deletion is soft: its reports go on counting the message."""
    answer = Message(1, "human", "outgoing", False, 7, BEGIN + timedelta(seconds=9), True)
    assert [event.name for event in figures(conversation(messages=(answer,)), RULES).events] == ["first_response"]


def test_answer_within_the_millisecond_of_the_reopening_comes_before_it() -> None:
    """What is written reopens a conversation, not the other way round: the clock did not start with it."""
    answer = Message(1, "human", "outgoing", False, 7, BEGIN + timedelta(seconds=20), False)
    steps = (status(10, "open", "resolved"), status(20, "resolved", "open"))
    ours = figures(conversation(messages=(answer,), changes=steps), RULES)
    assert ours.first_response is not None
    assert ours.first_response.seconds == 20


def test_each_turn_is_reckoned_by_the_release_of_its_time() -> None:
    """Only since the later release a reopening counts as one."""
    releases = ((BEGIN, "3.16.0"), (BEGIN + timedelta(seconds=25), "4.13.0"))
    steps = [status(at, *turn) for at, turn in ((10, CLOSED), (20, OPENED), (30, CLOSED), (40, OPENED))]
    ours = figures(conversation(changes=tuple(steps)), Dated.of(releases, has_bot=False))
    assert [event.end - BEGIN for event in ours.events if event.name == "conversation_opened"] == [
        timedelta(seconds=40)
    ]


def test_resolution_that_only_the_api_shows_is_marked_as_approximate() -> None:
    """Webhooks saw it reopened; whoever looked later finds it resolved, since about half a minute."""
    steps = (status(10, *CLOSED), status(20, *OPENED))
    seen = Change(STATUS_SEEN, BEGIN + timedelta(seconds=60), f'"{BEGIN + timedelta(seconds=30)}"', '"resolved"')
    ours = figures(conversation(seen_as="resolved", changes=(*steps, seen)), RULES)
    resolved = [(event.seconds, event.approximate) for event in ours.events if event.name == "conversation_resolved"]
    assert (resolved, ours.approximate, ours.lost_changes) == ([(10, False), (30, True)], 1, 0)


CLOSED, OPENED = ("open", "resolved"), ("resolved", "open")
RULES = Rules.of("4.13.0", has_bot=False)


def status(seconds: int, previous: str, current: str) -> Change:
    """A status change so many seconds after the beginning."""
    return Change("status", BEGIN + timedelta(seconds=seconds), f'"{previous}"', f'"{current}"')


def conversation(
    *, seen_as: ConversationStatus = "open", messages: tuple[Message, ...] = (), changes: tuple[Change, ...] = ()
) -> Facts:
    """A conversation begun at BEGIN and last seen a day later."""
    state = ConversationState(5, 9, seen_as, None, None, None, None, None, (), None, None, None, None, BEGIN)
    return Facts(Snapshot(BEGIN + timedelta(days=1), BEGIN, b"", state), messages, changes)
