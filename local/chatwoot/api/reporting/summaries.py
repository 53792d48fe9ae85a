"""Summaries over HTTP: a row for each agent, team or inbox (app/builders/v2/reports)."""

from collections.abc import Callable, Iterable

from local.chatwoot.api.reporting.report_scope import ReportScope, of_agent, of_inbox, of_team, span_of
from local.chatwoot.api.reporting.reports import average, seconds
from local.chatwoot.api.routing import ApiCall, route
from local.chatwoot.model.rows import Account, JsonObject


def agents(call: ApiCall) -> list[JsonObject]:
    return _rows(call, sorted(call.account.members), of_agent)


def teams(call: ApiCall) -> list[JsonObject]:
    return _rows(call, call.account.teams, of_team)


def inboxes(call: ApiCall) -> list[JsonObject]:
    return _rows(call, [row.id for row in call.state.inboxes_of(call.account)], of_inbox)


def _rows(call: ApiCall, numbers: Iterable[int], scope_of: Callable[[Account, int], ReportScope]) -> list[JsonObject]:
    return [{"id": number} | _row(call, scope_of(call.account, number)) for number in numbers]


def _row(call: ApiCall, scope: ReportScope) -> JsonObject:
    """3.x names no resolutions, and null where 4.x says 0."""
    span, modern = span_of(call), call.state.release.modern
    count = len(scope.conversations(span))
    resolved = seconds(scope, span, "conversation_resolved")
    form: JsonObject = {
        "conversations_count": count if modern else count or None,
        "avg_resolution_time": average(resolved),
        "avg_first_response_time": average(seconds(scope, span, "first_response")),
        "avg_reply_time": average(seconds(scope, span, "reply_time")),
    }
    return form | ({"resolved_conversations_count": len(resolved)} if modern else {})


ROUTES = [
    route("GET", "/summary_reports/agent", agents, admin=True, version="v2"),
    route("GET", "/summary_reports/team", teams, admin=True, version="v2"),
    # Absent in 3.16, recorded on 4.13.
    route("GET", "/summary_reports/inbox", inboxes, admin=True, since=(4, 13), version="v2"),
]
