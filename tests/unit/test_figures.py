"""Figures are a function of the set of facts, and of nothing else."""

import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.conversations import Status
from services.conversations.facts import STATUS_SEEN, Change, Facts, Kind, Message, Snapshot, State, union
from services.conversations.figures import figures, timeline
from services.conversations.rules import Dated, Rules
from services.conversations.walked import Walked, continued, settle
from tests.unit.conversations import BEGIN, conversations, rules, snapshots

_ORDERS = st.randoms(use_true_random=False)


def webhooks(facts: Facts, seen: list[Snapshot]) -> list[Facts]:
    """One webhook a fact, each with a snapshot of its own."""
    empty = Facts(facts.snapshot)
    singles = [
        *(empty._replace(messages=(message,)) for message in facts.messages),
        # told again when it was deleted, and when its author had left
        *(empty._replace(messages=(message._replace(deleted=True),)) for message in facts.messages[::3]),
        *(empty._replace(messages=(left(message),)) for message in facts.messages[::2]),
        # and by the API
        *(empty._replace(messages=(cut(message),)) for message in facts.messages[1::2]),
        *(empty._replace(changes=(change,)) for change in facts.changes),
        *(empty._replace(ratings=(rating,)) for rating in facts.ratings),
    ]
    shown = [facts.snapshot, *seen]
    return [single._replace(snapshot=shown[place % len(shown)]) for place, single in enumerate(singles)]


@given(conversations(), st.lists(snapshots(), max_size=4), rules, _ORDERS)
def test_any_permutation_and_repetition_gives_the_same_figures(
    facts: Facts, seen: list[Snapshot], rule: Rules, chance: random.Random
) -> None:
    told = [*webhooks(facts, seen), *(Facts(one) for one in (facts.snapshot, *seen))]
    again = [*told, *chance.sample(told, k=len(told) // 3)]
    chance.shuffle(again)
    assert figures(union(again), rule) == figures(union(told), rule)


@given(conversations(), rules, _ORDERS)
def test_walking_on_from_what_is_settled_gives_the_same_figures(
    facts: Facts, rule: Rules, chance: random.Random
) -> None:
    """Facts come one by one in any order; after each the figures equal those of a walk from the beginning."""
    arriving = timeline(facts)
    if chance.random() < 0.3:  # mostly in order, else hardly anything is ever settled
        chance.shuffle(arriving)
    elif len(arriving) > 1:
        late = chance.randrange(len(arriving))
        arriving.append(arriving.pop(late))
    known = Facts(facts.snapshot._replace(at=BEGIN + timedelta(days=1)))
    walked: Walked | None = None
    for fact in arriving:
        known = with_fact(known, fact)
        walked = continued(walked, rule, [fact])
        ours = figures(open_part(known, walked), rule, walked.life if walked else None)
        whole = figures(known, rule)
        assert ours._replace(events=(), events_before=0) == whole._replace(events=(), events_before=0)
        assert ours.events == whole.events[ours.events_before :]
        walked = settle(open_part(known, walked), rule, walked, long=6, kept_open=3)


def left(message: Message) -> Message:
    """The same message once its author's account is gone."""
    return message._replace(sender_id=None, kind="unknown") if message.kind in ("human", "bot") else message


def cut(message: Message) -> Message:
    """The same message as the API tells it: to the second, and without its campaign."""
    kind: Kind = "human" if message.kind == "campaign" and message.sender_id else message.kind
    return message._replace(kind=kind, created_at=message.created_at.replace(microsecond=0))


def with_fact(facts: Facts, fact: Message | Change) -> Facts:
    """One more fact is known."""
    if isinstance(fact, Message):
        return facts._replace(messages=(*facts.messages, fact))
    return facts._replace(changes=(*facts.changes, fact))


def open_part(facts: Facts, walked: Walked | None) -> Facts:
    """What has to be read when the rest is walked."""
    if walked is None:
        return facts
    return facts._replace(
        messages=tuple(message for message in facts.messages if message.id > walked.message_id),
        changes=tuple(change for change in facts.changes if change.at > walked.to),
    )


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
    ours = figures(conversation(shown="resolved", changes=(status(10, "resolved", "open"),)), RULES)
    assert (ours.state.status, ours.lost_changes) == ("resolved", 1)


@pytest.mark.parametrize("kind", ["bot", "automation", "campaign", "template", "survey", "unknown"])
def test_only_a_person_answers(kind: Kind) -> None:
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
    ours = figures(conversation(shown="resolved", changes=(*steps, seen)), RULES)
    told = [(event.seconds, event.approximate) for event in ours.events if event.name == "conversation_resolved"]
    assert (told, ours.approximate, ours.lost_changes) == ([(10, False), (30, True)], 1, 0)


CLOSED, OPENED = ("open", "resolved"), ("resolved", "open")
RULES = Rules.of("4.13.0", has_bot=False)


def status(seconds: int, previous: str, current: str) -> Change:
    """A status change so many seconds after the beginning."""
    return Change("status", BEGIN + timedelta(seconds=seconds), f'"{previous}"', f'"{current}"')


def conversation(
    *, shown: Status = "open", messages: tuple[Message, ...] = (), changes: tuple[Change, ...] = ()
) -> Facts:
    """A conversation begun at BEGIN and last seen a day later."""
    state = State(5, 9, shown, None, None, None, None, None, (), None, None, None, None, BEGIN)
    return Facts(Snapshot(BEGIN + timedelta(days=1), BEGIN, b"", state), messages, changes)
