"""Compares figures with the rows of Chatwoot's own database, and counts what it compared."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from services.conversations.figures.facts import ConversationState
from services.conversations.figures.lifecycle import ReportingEvent
from tests.recordings.recorded import rows

TOLERANCE_SECONDS = 1
NAMES = (
    *("conversation_resolved", "first_response", "reply_time", "conversation_opened"),
    *("conversation_bot_resolved", "conversation_bot_handoff"),
)
# Deleted through the API while recording. No webhook tells that, so only reconciliation can notice.
DELETED = {("chatwoot-4.13.0", 3): {28}}
_PRIORITIES = ("low", "medium", "high", "urgent")


def compare_events(run: str, account: int, ours: Mapping[int, Iterable[ReportingEvent]]) -> Counter[str]:
    """Each of Chatwoot's reporting events has its match and none is too many; answers how many were compared."""
    theirs: dict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows(run, "reporting_events", account), key=lambda row: row["event_end_time"]):
        theirs[row["conversation"], row["name"]].append(row)
    mine: dict[tuple[int, str], list[ReportingEvent]] = defaultdict(list)
    for conversation, events in ours.items():
        for event in sorted(events, key=lambda event: event.end):
            mine[conversation, event.name].append(event)
    compared: Counter[str] = Counter()
    for conversation, name in sorted(theirs.keys() | mine.keys()):
        where = f"{run}, account {account}, conversation {conversation}, {name}"
        compared[name] += _compare(mine[conversation, name], theirs[conversation, name], where=where)
    return compared


def _compare(mine: list[ReportingEvent], theirs: list[dict[str, Any]], *, where: str) -> int:
    assert len(mine) == len(theirs), where
    for event, row in zip(mine, theirs, strict=True):
        assert abs(event.seconds - row["value"]) <= TOLERANCE_SECONDS, where
        assert abs((event.end - _utc(row["event_end_time"])).total_seconds()) <= TOLERANCE_SECONDS, where
        assert event.user_id == row["user_id"], where
    return len(theirs)


def compare_states(run: str, account: int, ours: Mapping[int, ConversationState]) -> int:
    """Each conversation stands as Chatwoot's row says; answers how many were compared."""
    theirs = {row["conversation"]: row for row in rows(run, "conversations", account)}
    assert ours.keys() - theirs.keys() == DELETED.get((run, account), set())
    for conversation, row in theirs.items():
        assert _comparable(ours[conversation]) == _row(row), f"{run}, account {account}, {conversation}"
    return len(theirs)


def compare_ratings(run: str, account: int, ours: Mapping[int, Mapping[int, int]]) -> int:
    """Each survey's answer equals Chatwoot's, by conversation and message; answers how many were compared."""
    theirs: dict[int, dict[int, int]] = defaultdict(dict)
    for row in rows(run, "csat_survey_responses", account):
        theirs[row["conversation"]][row["message_id"]] = row["rating"]
    assert {key: dict(value) for key, value in ours.items() if value} == theirs
    return sum(map(len, theirs.values()))


def _comparable(state: ConversationState) -> dict[str, object]:
    return {
        "inbox_id": state.inbox_id,
        "contact_id": state.contact_id,
        "status": state.status,
        "assignee_id": state.assignee_id,
        "team_id": state.team_id,
        "priority": state.priority,
        "labels": state.labels,
        "first_reply_created_at": _whole(state.first_reply_created_at),
        "waiting_since": _whole(state.waiting_since),
    }


def _row(row: dict[str, Any]) -> dict[str, object]:
    labels = (row["cached_label_list"] or "").split(", ")
    return {
        "inbox_id": row["inbox_id"],
        "contact_id": row["contact_id"],
        "status": row["status"],
        "assignee_id": row["assignee_id"],
        "team_id": row["team_id"],
        "priority": None if row["priority"] is None else _PRIORITIES[row["priority"]],
        "labels": tuple(sorted(filter(None, labels))),
        "first_reply_created_at": _whole(_utc(row["first_reply_created_at"])),
        "waiting_since": _whole(_utc(row["waiting_since"])),
    }


def _utc(text: str | None) -> Any:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def _whole(moment: datetime | None) -> datetime | None:
    # webhooks carry waiting_since in whole seconds
    return moment.replace(microsecond=0) if moment else None
