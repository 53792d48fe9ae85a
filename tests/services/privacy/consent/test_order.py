"""Whatever the order of arrival, consent ends the same: given, withdrawn, given again; before, after, in between."""

import itertools
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from db.pool import Pool
from services.kernel import Process, Settings
from services.kernel.forgetting.subjects import Subject
from tests.services.privacy.consent.speaking import CONTACT, Speaker, minute

# What was said, minute by minute; something happens at 10, 30 and 50.
_SAID: dict[str, Sequence[tuple[int, bool]]] = {
    "nothing": (), "given": ((20, True),), "withdrawn": ((20, False),), "given, withdrawn": ((20, True), (40, False)),
    "withdrawn, given": ((20, False), (40, True)), "given, withdrawn, given": ((5, True), (20, False), (40, True)),
    "withdrawn, given, withdrawn": ((5, False), (20, True), (40, False)), "both at once": ((20, True), (20, False)),
}  # fmt: skip
_HAPPENED = (10, 30, 50)
_MOST_ORDERS = 6
_NAMES = {"analytics": Subject("session", "s1"), "chat": Subject("email", "anna@x.example")}
Step = tuple[str, int, bool]


@pytest.fixture
async def process(settings: Settings) -> AsyncIterator[Process]:
    process = Process(settings)
    yield process
    await process.close()


@pytest.mark.parametrize("needed", ["analytics", "analytics,chat"])
@pytest.mark.parametrize("purpose", ["analytics", "chat"])
@pytest.mark.parametrize("said", _SAID)
async def test_every_order_of_arrival_ends_the_same(
    process: Process, admin_pool: Pool, purpose: str, said: str, needed: str
) -> None:
    steps: list[Step] = [("word", at, given) for at, given in _SAID[said]]
    steps += [("deed", at, True) for at in _HAPPENED]
    ends = [
        await _end(process, admin_pool, purpose, order, needed) for order in _orders(steps, seed=f"{purpose}{said}")
    ]
    for end in ends:
        assert end == ends[0]
    _judge(ends[0], purpose, _SAID[said], needed)


def _orders(steps: Sequence[Step], *, seed: str) -> list[Sequence[Step]]:
    """As it happened, backwards, and some of the others."""
    in_time = sorted(steps, key=lambda step: step[1])
    others = list(itertools.permutations(steps))
    print(f"seed {seed!r}")
    return [in_time, in_time[::-1], *random.Random(seed).sample(others, min(_MOST_ORDERS, len(others)))]


async def _end(
    process: Process, admin: Pool, purpose: str, order: Sequence[Step], needed: str
) -> dict[str, Sequence[dict[str, Any]]]:
    one = await Speaker.known(process, admin, consent_needed=needed.split(","))
    chance = random.Random(str(order))
    for kind, at, given in order:
        if kind == "word":
            await one.says(_NAMES[purpose], purpose, at, given=given)
        else:
            await (one.visits(at) if purpose == "analytics" else one.writes(at))
        if chance.random() < 0.5:  # the service applies words when it comes round
            await one.settled()
    await one.settled()
    return await one.stored()


def _judge(
    end: dict[str, Sequence[dict[str, Any]]], purpose: str, said: Sequence[tuple[int, bool]], needed: str
) -> None:
    """What the end must be, reckoned from what was said alone."""
    newest = max(said, key=lambda word: (word[0], not word[1]), default=None)
    if purpose == "chat":
        (chat,) = end["chats"]
        named = newest[1] if newest else "chat" not in needed
        assert (chat["contact_id"], chat["chatwoot_contact_id"]) == ((CONTACT, CONTACT) if named else (None, None))
        assert (chat["seen"], chat["hashed"]) == ((str(CONTACT), False) if named else (None, True))
        assert set(chat["senders"]) == ({CONTACT} if named else {None})
        assert (chat["customer_value"] is not None, chat["customer_tier"]) == (named, "gold")
        assert chat["message_count"] == len(_HAPPENED)  # figures stay
        return
    withdrawn = max((at for at, given in said if not given), default=-1)
    for page, at in zip(end["pages"], _HAPPENED, strict=True):
        assert page["created_at"] == minute(at)
        whole = at > withdrawn
        assert (page["session_id"], page["page_url"]) == (("s1", "https://x.example/cart") if whole else (None, None))
    assert [(day["page_group"], day["events"]) for day in end["days"]] == [("cart", len(_HAPPENED))]
