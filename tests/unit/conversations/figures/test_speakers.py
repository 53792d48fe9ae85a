"""Who spoke, and who opened: every sender that Chatwoot knows with every mark that a message can bear, by release."""

from datetime import datetime, timedelta
from itertools import product
from typing import Any, NamedTuple

import orjson
import pytest

from schemas.chatwoot import webhooks
from schemas.chatwoot.conversations import ConversationEvent, MessageEvent
from services.conversations.figures.facts import Change, Facts, Message, union
from services.conversations.figures.figures import Figures, figures
from services.conversations.figures.rules import Rules
from services.conversations.webhook_facts import facts_of
from tests.field_cases import FOLDER
from tests.unit.conversations.conversations import BEGIN
from tests.unit.conversations.figures.test_lifecycle import conversation, status

_CASES = FOLDER
_RELEASES = ("3.16.0", "4.13.0")
_SENDERS: dict[str, dict[str, Any] | None] = {
    "user": {"id": 3, "name": "Ada", "type": "user"},
    "agent_bot": {"id": 4, "name": "Robo", "type": "agent_bot"},
    "captain": {"id": 5, "name": "Captain", "type": "captain_assistant"},
    "contact": {"id": 6, "name": "Kees"},
    "none": None,
}
_NAMES = ("campaign", "automation", "echo", "private")
_MARKS = [dict(zip(_NAMES, marks, strict=True)) for marks in product((False, True), repeat=len(_NAMES))]


class Verdict(NamedTuple):
    """What Chatwoot does at an outgoing message while a customer waits in a bot's inbox, and what is resolved then."""

    answers: bool  # a first response, and the customer waits no more
    ends_wait: bool
    leaves_bot_resolved: bool  # no outgoing message of a User exists
    bars_first: bool  # a later answer is never the first response


def expected(sender: str, release: str, *, campaign: bool, automation: bool, echo: bool, private: bool) -> Verdict:
    """Chatwoot's own conditions, one after the other: human_response?, bot_response?, valid_first_reply?."""
    new = release == "4.13.0"
    is_bot = sender in ("agent_bot", "captain")
    # an echo mark is known to the later release alone; where nobody is named it was written by the channel itself
    is_human = (sender == "user" or (echo and (new or sender == "none"))) and not automation and not campaign
    answers = is_human and not private
    bars = sender in ("user", "contact") and not private and not answers and (automation or not campaign)
    return Verdict(
        answers=answers,
        ends_wait=answers or (is_bot and new and not private),
        leaves_bot_resolved=sender != "user",
        bars_first=bars,
    )


@pytest.mark.parametrize("sender", _SENDERS)
@pytest.mark.parametrize("release", _RELEASES)
def test_every_speaker_with_every_mark_counts_as_in_chatwoot(release: str, sender: str) -> None:
    later = outgoing(20, _SENDERS["user"])
    for marks in _MARKS:
        written = outgoing(9, _SENDERS[sender], **marks)
        alone = reckoned(release, written, closed=True)
        ours = Verdict(
            answers="first_response" in names(alone),
            ends_wait=not waits_after(release, written),
            leaves_bot_resolved="conversation_bot_resolved" in names(alone),
            bars_first=reckoned(release, written, later).first_response is None,
        )
        assert ours == expected(sender, release, **marks), marks


@pytest.mark.parametrize("release", _RELEASES)
def test_campaign_of_a_user_is_an_outgoing_message_of_a_user(release: str) -> None:
    """Field case 06."""
    ours = told_by("campaign_of_a_user", release)
    assert [(event.name, event.seconds) for event in ours.events] == [("conversation_resolved", 100)]


def test_person_who_opens_a_pending_conversation_makes_no_handover() -> None:
    """Field case 09: by the later release nobody waited, so no bot handed over; by the earlier one it is a guess."""
    old, new = told_by("person_opens_pending", "3.16.0"), told_by("person_opens_pending", "4.13.0")
    assert [(event.name, event.seconds, event.approximate) for event in old.events] == [("first_response", 360, False)]
    assert "conversation_bot_handoff" not in names(new)
    assert (old.unknown_openers, new.unknown_openers) == (1, 0)


@pytest.mark.parametrize(
    ("release", "waited", "restarted", "assigned", "handed_over", "doubtful"),
    [
        ("4.13.0", False, True, False, True, False),  # a handover begins the wait anew
        ("4.13.0", False, True, True, True, False),  # and then somebody is assigned by itself
        ("4.13.0", False, False, False, False, False),  # nobody waits: no bot handed over
        ("4.13.0", True, False, False, True, True),  # the bot never spoke: the same by a bot and a person
        ("4.13.0", True, False, True, False, True),
        ("3.16.0", True, False, False, True, True),  # the same by a bot and a person
        ("3.16.0", True, False, True, False, True),
    ],
)
def test_who_opened_is_known_by_what_a_handover_leaves(
    release: str, waited: bool, restarted: bool, assigned: bool, handed_over: bool, doubtful: bool
) -> None:
    spoke = () if waited else messages(outgoing(5, _SENDERS["agent_bot"]))
    at = BEGIN + timedelta(seconds=30)
    steps = [status(30, "pending", "open")]
    steps += [Change("waiting_since", _before(at, 0.2), "null", f'"{_before(at, 0.3).isoformat()}"')] * restarted
    steps += [Change("assignee_id", at, "null", "3")] * assigned
    ours = figures(conversation(messages=spoke, changes=tuple(steps)), Rules.of(release, has_bot=True))
    handovers = [event for event in ours.events if event.name == "conversation_bot_handoff"]
    assert [(event.seconds, event.approximate) for event in handovers] == [(30, doubtful)] * handed_over
    assert ours.unknown_openers == doubtful


def test_old_fact_without_a_speaker_counts_by_its_kind() -> None:
    """Rows of before migration 0018."""
    old = Message(1, "human", "outgoing", True, 7, BEGIN + timedelta(seconds=9), False)
    bot = old._replace(kind="bot")
    assert (old.is_users, old.is_bots, bot.is_users, bot.is_bots) == (True, False, False, True)


def outgoing(
    second: int,
    sender: dict[str, Any] | None,
    *,
    campaign: bool = False,
    automation: bool = False,
    echo: bool = False,
    private: bool = False,
) -> dict[str, Any]:
    """The webhook of an outgoing message."""
    return _body(second, "outgoing", sender) | {
        "content_attributes": {"automation_rule_id": automation and 2, "external_echo": echo},
        "additional_attributes": {"campaign_id": 4} if campaign else {},
        "private": private,
    }


def _body(second: int, kind: str, sender: dict[str, Any] | None) -> dict[str, Any]:
    talk = {"id": 1, "inbox_id": 9, "status": "open", "labels": [], "created_at": int(BEGIN.timestamp())}
    return {
        "event": "message_created", "id": second, "message_type": kind, "content_type": "text", "private": False,
        "sender": sender, "created_at": (BEGIN + timedelta(seconds=second)).isoformat(), "conversation": talk,
    }  # fmt: skip


def messages(*bodies: dict[str, Any]) -> tuple[Message, ...]:
    return tuple(message for body in bodies for message in _facts(body).messages)


def reckoned(release: str, *written: dict[str, Any], closed: bool = False) -> Figures:
    """A customer asks, this is written, and it is resolved if so wanted."""
    steps = (status(100, "open", "resolved"),) * closed
    asked = _body(1, "incoming", _SENDERS["contact"])
    return figures(conversation(messages=messages(asked, *written), changes=steps), Rules.of(release, has_bot=True))


def waits_after(release: str, written: dict[str, Any]) -> bool:
    """Whether the wait of before is what a later answer ends, and not one that began with a later question."""
    asked = [_body(second, "incoming", _SENDERS["contact"]) for second in (3, 12)]
    answers = [outgoing(second, _SENDERS["user"]) for second in (2, 20)]
    replies = [event for event in reckoned(release, *asked, *answers, written).events if event.name == "reply_time"]
    return (replies[0].start, replies[0].end) == (BEGIN + timedelta(seconds=3), BEGIN + timedelta(seconds=20))


def names(ours: Figures) -> list[str]:
    return [event.name for event in ours.events]


def told_by(case: str, release: str) -> Figures:
    """The figures of a field case in an inbox with a bot."""
    bodies = orjson.loads((_CASES / f"{case}.json").read_bytes())
    return figures(union(map(_facts, bodies)), Rules.of(release, has_bot=True))


def _facts(body: dict[str, Any]) -> Facts:
    event = webhooks.parse(body["event"], orjson.dumps(body))
    assert isinstance(event, ConversationEvent | MessageEvent)
    return facts_of(event, sent_at=BEGIN)


def _before(at: datetime, seconds: float) -> datetime:
    return at - timedelta(seconds=seconds)
