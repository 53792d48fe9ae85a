"""What the API tells of conversations that nobody listened to, against the rows of Chatwoot's own database."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.chatwoot import rest
from services.conversations.chatwoot.api_facts import facts_seen
from services.conversations.figures.facts import Facts, union
from services.conversations.figures.figures import Figures, figures
from services.conversations.figures.rules import Rules
from tests.recordings.parity import TOLERANCE_SECONDS
from tests.recordings.recorded import RUNS, account_webhooks, rows, stores
from tests.recordings.test_figures_equal_chatwoot import HELD, heard, rated
from tests.services.conversations.recorded_api import RecordedApi, unix

_READ_AT = datetime(2026, 12, 2, tzinfo=UTC)


def seen(run: str) -> Iterator[tuple[str, dict[str, Any], Facts, Rules]]:
    """Store, Chatwoot's row, the facts of one look and the rules, of every conversation."""
    api = RecordedApi(run)
    for store in stores(run):
        for row in rows(run, "conversations", store["account"]):
            told = api.messages(store["account"], row["conversation"])
            history = rest.History.model_validate({"conversation": api.conversation(row), "messages": told})
            rules = Rules.of(store["release"], has_bot=row["inbox_id"] in store["bot_inboxes"])
            yield store["name"], row, facts_seen(history, seen_at=_READ_AT), rules


@pytest.mark.parametrize("run", RUNS)
def test_history_gives_chatwoots_first_answers_and_last_resolutions(run: str) -> None:
    """Who answered first and when, exactly; a resolution never earlier than it was, and marked as approximate."""
    compared: Counter[str] = Counter()
    for _, row, facts, rules in seen(run):
        ours = figures(facts, rules)
        answers, resolutions = (of_row(run, row, name) for name in ("first_response", "conversation_resolved"))
        assert first_answer(ours) == [(int(unix(one["event_end_time"])), one["user_id"]) for one in answers]
        compared["first_response"] += len(answers)
        if row["status"] == "resolved":
            assert ours.last_resolution is not None
            late = ours.last_resolution.end.timestamp() - max(unix(one["event_end_time"]) for one in resolutions)
            assert late >= 0
            compared["resolved"] += 1
            compared["resolved within 1 s"] += late <= TOLERANCE_SECONDS
            assert ours.approximate == 1
            assert ours.last_resolution.approximate
        compared["ratings"] += len(rated(ours))
    print(f"{run} from the API alone: compared {dict(compared)}")
    assert {name: compared[name] for name in ("first_response", "ratings")} == {
        name: HELD[run][name] for name in ("first_response", "ratings")
    }


@pytest.mark.parametrize("run", RUNS)
def test_history_adds_nothing_to_what_webhooks_told(run: str) -> None:
    """Whoever listened from the beginning has the exact moments: a look through the API leaves them as they are."""
    listened = heard(account_webhooks(run))
    compared = 0
    for store, row, facts, rules in seen(run):
        told = listened[store, row["conversation"]]
        alone, both = figures(union(told), rules), figures(union([facts, *told]), rules)
        assert (both.events, both.counts, both.approximate) == (alone.events, alone.counts, 0)
        compared += 1
    assert compared == HELD[run]["states"]


def of_row(run: str, row: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Chatwoot's reporting events of a conversation."""
    events = rows(run, "reporting_events", row["account_id"])
    return [one for one in events if one["conversation"] == row["conversation"] and one["name"] == name]


def first_answer(ours: Figures) -> list[tuple[int, int | None]]:
    """When and by whom, if at all."""
    first = ours.first_response
    return [(int(first.end.timestamp()), first.user_id)] if first else []
