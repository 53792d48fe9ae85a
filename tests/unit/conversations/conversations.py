"""Conversations as hypothesis invents them: facts that Chatwoot could tell, in no particular order."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import orjson
from hypothesis import strategies as st

from services.conversations.figures.facts import (
    STATUS_SEEN,
    Change,
    ConversationState,
    Facts,
    Message,
    Rating,
    Snapshot,
    Speaker,
)
from services.conversations.figures.rules import Rules

BEGIN = datetime(2026, 3, 1, 9, tzinfo=UTC)
_KINDS = {
    "incoming": "incoming",
    "human": "outgoing",
    "bot": "outgoing",
    "automation": "outgoing",
    "campaign": "outgoing",
    "unknown": "outgoing",
    "template": "template",
    "survey": "template",
}
_STATUSES = ("open", "resolved", "pending", "snoozed")
moments = st.integers(0, 500).map(lambda tenths: BEGIN + timedelta(seconds=tenths / 10))
rules = st.builds(Rules, st.booleans(), st.booleans(), st.booleans(), st.booleans())


@st.composite
def messages(draw: st.DrawFn) -> tuple[Message, ...]:
    """Messages with ids in the order of time, but for some that were created in parallel."""
    moments_ = sorted(draw(st.lists(moments, max_size=25)))
    kinds = draw(st.lists(st.sampled_from(sorted(_KINDS)), min_size=len(moments_), max_size=len(moments_)))
    ids = list(range(1, len(moments_) + 1))
    if len(ids) > 2 and draw(st.booleans()):
        place = draw(st.integers(0, len(ids) - 2))
        ids[place], ids[place + 1] = ids[place + 1], ids[place]
    private = draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids)))
    speakers = draw(st.lists(st.sampled_from((None, *get_args(Speaker))), min_size=len(ids), max_size=len(ids)))
    return tuple(
        Message(number, kind, _KINDS[kind], hidden and kind == "human", _sender(kind), at, False, speaker)  # type: ignore[arg-type]
        for number, kind, hidden, at, speaker in zip(ids, kinds, private, moments_, speakers, strict=True)
    )


@st.composite
def changes(draw: st.DrawFn) -> tuple[Change, ...]:
    """Steps of status, assignee and wait; some are lost, so chains have gaps. Looks through the API between."""
    steps = []
    for attribute, values in (("status", _STATUSES), ("assignee_id", (None, 7, 8))):
        walk = draw(st.lists(st.tuples(moments, st.sampled_from(values), st.integers(0, 9)), max_size=8))
        before = draw(st.sampled_from(values))
        for at, value, luck in sorted(walk, key=lambda step: step[0]):
            if value != before and luck:
                steps.append(Change(attribute, at, orjson.dumps(before).decode(), orjson.dumps(value).decode()))
            before = value
    for at, since in draw(st.lists(st.tuples(moments, moments), max_size=3)):
        steps.append(Change("waiting_since", at, "null", orjson.dumps(since.isoformat()).decode()))
    looks = draw(st.lists(st.tuples(moments, moments, st.sampled_from(_STATUSES)), max_size=2))
    return (*steps, *(_sight(min(pair[:2]), max(pair[:2]), pair[2]) for pair in looks))


def _sight(since: datetime, at: datetime, status: str) -> Change:
    """A look through the API."""
    return Change(STATUS_SEEN, at, orjson.dumps(since.isoformat()).decode(), orjson.dumps(status).decode())


@st.composite
def conversations(draw: st.DrawFn) -> Facts:
    """All facts of one conversation."""
    ratings = tuple(
        Rating(number, BEGIN + timedelta(minutes=number), BEGIN + timedelta(minutes=number), rating)
        for number, rating in enumerate(draw(st.lists(st.integers(1, 5), max_size=3)), start=100)
    )
    return Facts(draw(snapshots()), draw(messages()), draw(changes()), ratings)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """How one webhook showed the conversation."""
    state = ConversationState(
        *(5, 9, draw(st.sampled_from(_STATUSES)), draw(st.sampled_from((None, 7, 8))), "User", "Ada", None, None),
        *(("vip",), None, None, None, BEGIN, BEGIN),
    )
    return Snapshot(draw(moments), draw(moments), repr(state).encode(), state)


def _sender(kind: str) -> int | None:
    return {"incoming": 5, "human": 7, "bot": 3}.get(kind)
