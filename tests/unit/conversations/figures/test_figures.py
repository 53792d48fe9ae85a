"""Figures are a function of the set of facts, and of nothing else."""

import random
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.conversations.figures.checkpoint import Checkpoint, advance, resume
from services.conversations.figures.facts import Change, Facts, Message, MessageKind, Snapshot, union
from services.conversations.figures.figures import figures, timeline
from services.conversations.figures.rules import Rules
from tests.unit.conversations.conversations import BEGIN, conversations, rules, snapshots

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
    snapshots = [facts.snapshot, *seen]
    return [single._replace(snapshot=snapshots[place % len(snapshots)]) for place, single in enumerate(singles)]


@given(conversations(), st.lists(snapshots(), max_size=4), rules, _ORDERS)
def test_any_permutation_and_repetition_gives_the_same_figures(
    facts: Facts, seen: list[Snapshot], rule: Rules, chance: random.Random
) -> None:
    parts = [*webhooks(facts, seen), *(Facts(one) for one in (facts.snapshot, *seen))]
    again = [*parts, *chance.sample(parts, k=len(parts) // 3)]
    chance.shuffle(again)
    assert figures(union(again), rule) == figures(union(parts), rule)


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
    checkpoint: Checkpoint | None = None
    for fact in arriving:
        known = with_fact(known, fact)
        checkpoint = resume(checkpoint, rule, [fact])
        ours = figures(open_part(known, checkpoint), rule, checkpoint.life if checkpoint else None)
        whole = figures(known, rule)
        assert ours._replace(events=(), events_before=0) == whole._replace(events=(), events_before=0)
        assert ours.events == whole.events[ours.events_before :]
        checkpoint = advance(open_part(known, checkpoint), rule, checkpoint, long=6, kept_open=3)


def left(message: Message) -> Message:
    """The same message once its author's account is gone."""
    return message._replace(sender_id=None, kind="unknown") if message.kind in ("human", "bot") else message


def cut(message: Message) -> Message:
    """The same message as the API tells it: to the second, and without its campaign."""
    kind: MessageKind = "human" if message.kind == "campaign" and message.sender_id else message.kind
    return message._replace(kind=kind, created_at=message.created_at.replace(microsecond=0))


def with_fact(facts: Facts, fact: Message | Change) -> Facts:
    """One more fact is known."""
    if isinstance(fact, Message):
        return facts._replace(messages=(*facts.messages, fact))
    return facts._replace(changes=(*facts.changes, fact))


def open_part(facts: Facts, checkpoint: Checkpoint | None) -> Facts:
    """What has to be read when the rest lies behind the checkpoint."""
    if checkpoint is None:
        return facts
    return facts._replace(
        messages=tuple(message for message in facts.messages if message.id > checkpoint.message_id),
        changes=tuple(change for change in facts.changes if change.at > checkpoint.to),
    )
