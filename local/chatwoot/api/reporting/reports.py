"""Reports over HTTP: one figure by day, summaries, who has what open (app/builders/v2/report_builder.rb)."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from local.chatwoot.api.reporting.report_scope import ReportScope, ReportSpan, buckets, of_account, scope_of, span_of
from local.chatwoot.api.routing import ApiCall, route
from local.chatwoot.errors import unprocessable
from local.chatwoot.model.rows import Conversation, JsonObject, User
from local.chatwoot.views.shared import unix

_SECONDS = {
    "avg_first_response_time": "first_response",
    "avg_resolution_time": "conversation_resolved",
    "reply_time": "reply_time",
}
_HOURS = {"0-1h": 1, "1-4h": 4, "4-8h": 8, "8-24h": 24, "24h+": float("inf")}


def _resolutions(call: ApiCall, scope: ReportScope, span: ReportSpan) -> int:
    """3.x counts conversations that are resolved now, 4.x each time that one was."""
    noted = scope.notes(span, "conversation_resolved")
    if call.state.release.modern:
        return len(noted)
    numbers = {one.conversation_id for one in noted}
    return sum(scope.account.conversations[number].status == "resolved" for number in numbers)


_COUNTS: dict[str, Callable[[ApiCall, ReportScope, ReportSpan], int]] = {
    "conversations_count": lambda call, scope, span: len(scope.conversations(span)),
    "incoming_messages_count": lambda call, scope, span: len(scope.messages(span, "incoming")),
    "outgoing_messages_count": lambda call, scope, span: len(scope.messages(span, "outgoing")),
    "resolutions_count": _resolutions,
    "bot_resolutions_count": lambda call, scope, span: len(scope.notes(span, "conversation_bot_resolved")),
    "bot_handoffs_count": lambda call, scope, span: len(scope.notes(span, "conversation_bot_handoff")),
}


def average(values: Sequence[int]) -> float | None:
    return sum(values) / len(values) if values else None


def seconds(scope: ReportScope, span: ReportSpan, name: str) -> list[int]:
    return [one.value for one in scope.notes(span, name)]


def series(call: ApiCall) -> list[JsonObject]:
    """One figure in each bucket; averages tell over how many."""
    metric, scope, span = call.query("metric"), scope_of(call), span_of(call)
    if metric not in _COUNTS | _SECONDS:
        unprocessable("invalid metric")
    shown = []
    for bucket in buckets(call, span):
        both = ReportSpan(max(bucket.since, span.since), min(bucket.until, span.until))
        form: JsonObject = {"timestamp": unix(bucket.since)}
        if metric in _COUNTS:
            form["value"] = _COUNTS[metric](call, scope, both)
        else:
            values = seconds(scope, both, _SECONDS[metric])
            form |= {"value": average(values) or 0, "count": len(values)}
        shown.append(form)
    return shown


def summary(call: ApiCall) -> JsonObject:
    scope, span = scope_of(call), span_of(call)
    return _summary(call, scope, span) | {"previous": _summary(call, scope, span.before())}


def _summary(call: ApiCall, scope: ReportScope, span: ReportSpan) -> JsonObject:
    counts = ("conversations_count", "incoming_messages_count", "outgoing_messages_count", "resolutions_count")
    averages = {metric: average(seconds(scope, span, name)) for metric, name in _SECONDS.items()}
    return {name: _COUNTS[name](call, scope, span) for name in counts} | averages


def bot_summary(call: ApiCall) -> JsonObject:
    scope, span = scope_of(call), span_of(call)
    names = ("bot_resolutions_count", "bot_handoffs_count")
    now, before = ({name: _COUNTS[name](call, scope, one) for name in names} for one in (span, span.before()))
    return now | {"previous": before}


def open_now(call: ApiCall) -> Any:
    """Of the account, or of each agent. `pending` is 0 also while one is (recorded): it is asked of the open ones."""
    rows = [row for row in call.account.conversations.values() if row.status == "open"]
    if call.query("type") == "agent":
        members = [call.state.users[number] for number in sorted(call.account.members, reverse=True)]
        return [_agents_open(one, [row for row in rows if row.assignee_id == one.id]) for one in members]
    return _open(rows) | {"unassigned": sum(row.assignee_id is None for row in rows), "pending": 0}


def _open(rows: Sequence[Conversation]) -> JsonObject:
    unattended = sum(row.first_reply_created_at is None or row.waiting_since is not None for row in rows)
    return {"open": len(rows), "unattended": unattended}


def _agents_open(one: User, rows: Sequence[Conversation]) -> JsonObject:
    form: JsonObject = {"id": one.id, "name": one.name, "email": one.email, "thumbnail": "", "availability": "offline"}
    return form | {"metric": _open(rows)}


def outgoing(call: ApiCall) -> list[JsonObject]:
    """How much each agent wrote; who wrote nothing is not named."""
    if call.query("group_by") != "agent":
        unprocessable("The double groups these by agent")
    sent = of_account(call.account).messages(span_of(call), "outgoing")
    counts = Counter(one.sender.id for one in sent if isinstance(one.sender, User))
    users = call.state.users
    return [{"id": n, "name": users[n].name, "outgoing_messages_count": count} for n, count in sorted(counts.items())]


def first_responses(call: ApiCall) -> JsonObject:
    """How many took how long, by kind of inbox."""
    shown: JsonObject = {}
    for one in of_account(call.account).notes(span_of(call), "first_response"):
        kind = call.state.inboxes[one.inbox_id].channel_type
        row = shown.setdefault(kind, dict.fromkeys(_HOURS, 0))
        row[next(name for name, hours in _HOURS.items() if one.value < hours * 3600)] += 1
    return shown


def _report(path: str, handler: Callable[[ApiCall], Any], since: tuple[int, int] = (3, 0)) -> Any:
    return route("GET", path, handler, admin=True, since=since, version="v2")


# Since when two of them are there is not known: absent in 3.16, recorded on 4.13.
ROUTES = [
    _report("/reports", series),
    _report("/reports/summary", summary),
    _report("/reports/bot_summary", bot_summary),
    _report("/reports/conversations", open_now),
    _report("/reports/outgoing_messages_count", outgoing, (4, 13)),
    _report("/reports/first_response_time_distribution", first_responses, (4, 13)),
]
