"""Figures reckoned from webhooks alone, in any order, equal the rows of Chatwoot's own database."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

import pytest

from schemas.chatwoot.conversations import ConversationEvent, MessageEvent
from schemas.chatwoot.webhooks import parse
from services.conversations.figures.facts import Facts, union
from services.conversations.figures.figures import Figures, figures
from services.conversations.figures.rules import Rules
from services.conversations.webhook_facts import facts_of
from tests.recordings.parity import NAMES, compare_events, compare_ratings, compare_states
from tests.recordings.recorded import RUNS, Delivery, account_webhooks, disordered, stores

ORDERS = ("recorded", "reversed", *(str(seed) for seed in range(20)))
# What the recordings hold: reporting events by their name, conversations, survey answers.
HELD = {
    run: Counter({**dict(zip(NAMES, events, strict=True)), "states": states, "ratings": ratings})
    for run, events, states, ratings in [
        ("chatwoot-4.13.0", (58, 45, 12, 19, 0, 1), 52, 19),
        ("chatwoot-4.13.0-bots", (30, 21, 5, 13, 6, 7), 24, 12),
        ("chatwoot-3.16.0", (31, 24, 6, 0, 0, 1), 27, 10),
    ]
}
_FIRST_ARRIVAL = datetime(2026, 12, 1, tzinfo=UTC)


def heard(given: Iterable[Delivery]) -> dict[tuple[str, int], list[Facts]]:
    """Facts by store and conversation. The arrival tells nothing of the true order: it follows the order given."""
    by_conversation = defaultdict(list)
    for position, delivery in enumerate(given):
        event = parse(delivery.event, delivery.body)
        if isinstance(event, ConversationEvent | MessageEvent):
            conversation = event.id if isinstance(event, ConversationEvent) else event.conversation.id
            arrival = _FIRST_ARRIVAL + timedelta(seconds=position)
            by_conversation[delivery.store, conversation].append(facts_of(event, sent_at=arrival))
    return by_conversation


def reckoned(
    run: str, given: Iterable[Delivery], *, bots: Collection[int] | None = None
) -> dict[str, dict[int, Figures]]:
    """Figures by store and conversation; `bots` are the inboxes that are known to have one, else those that do."""
    rules = {store["name"]: (store["release"], store["bot_inboxes"] if bots is None else bots) for store in stores(run)}
    answer: dict[str, dict[int, Figures]] = defaultdict(dict)
    for (store, conversation), parts in heard(given).items():
        facts = union(parts)
        release, bots = rules[store]
        rule = Rules.of(release, has_bot=facts.snapshot.state.inbox_id in bots)
        answer[store][conversation] = figures(facts, rule)
    return answer


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("run", RUNS)
def test_shuffled_and_repeated_webhooks_give_chatwoots_own_rows(run: str, order: str) -> None:
    """Every reporting event within one second, every state and rating exactly, nothing too much."""
    ours = reckoned(run, disordered(run, order))
    compared: Counter[str] = Counter()
    for store in stores(run):
        mine = ours[store["name"]]
        compared += compare_events(run, store["account"], {key: figure.events for key, figure in mine.items()})
        compared["states"] += compare_states(run, store["account"], {key: figure.state for key, figure in mine.items()})
        compared["ratings"] += compare_ratings(
            run, store["account"], {key: rated(figure) for key, figure in mine.items()}
        )
    print(f"{run} in order {order}: compared {dict(compared)}")
    assert compared == HELD[run]


def rated(figure: Figures) -> dict[int, int]:
    """The rating by its survey message."""
    return {figure.rating.message_id: figure.rating.rating} if figure.rating else {}


@pytest.mark.parametrize("run", RUNS)
def test_conversations_born_pending_need_nobody_to_tell_of_the_bot(run: str) -> None:
    """Only a bot's inbox lets conversations begin as pending: without the API's knowledge the figures are the same."""
    ours = reckoned(run, account_webhooks(run), bots=())
    compared: Counter[str] = Counter()
    for store in stores(run):
        mine = {key: figure.events for key, figure in ours[store["name"]].items()}
        compared += compare_events(run, store["account"], mine)
    assert compared == Counter({name: HELD[run][name] for name in NAMES})
