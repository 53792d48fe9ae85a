"""Conversations in lists: pages, counts, filters."""

from collections.abc import Sequence
from datetime import timedelta

from local.chatwoot.api.routing import ApiCall, route
from local.chatwoot.model.filters import select
from local.chatwoot.model.rows import Conversation, JsonObject
from local.chatwoot.views import rest

_PAGE = 25
_COLUMNS = set("status priority inbox_id assignee_id team_id display_id created_at last_activity_at".split())


def index(call: ApiCall) -> JsonObject:
    """Open ones by default. With `updated_within` seconds everything in that span, on one page."""
    rows, span = _listed(call), call.query("updated_within")
    if span:
        since = call.state.now() - timedelta(seconds=int(span))
        rows = [row for row in rows if row.updated_at > since]
    counts = _counts(call, rows)
    rows = _assigned(call, rows)
    return {"data": {"meta": counts, "payload": _shown(call, rows if span else _page(call, rows))}}


def meta(call: ApiCall) -> JsonObject:
    return {"meta": _counts(call, _listed(call))}


def find(call: ApiCall) -> JsonObject:
    """POST conversations/filter; no `data` around it, and no assigned_count."""
    found = select(_latest_first(call), call.body.get("payload") or [], known=_COLUMNS, value=getattr)
    counts = _counts(call, found)
    del counts["assigned_count"]
    return {"meta": counts, "payload": _shown(call, _page(call, found))}


def _listed(call: ApiCall) -> list[Conversation]:
    wanted, inbox = call.query("status", "open"), call.query("inbox_id")
    return [
        row
        for row in _latest_first(call)
        if wanted in ("all", row.status) and (not inbox or row.inbox_id == int(inbox))
    ]


def _latest_first(call: ApiCall) -> list[Conversation]:
    return sorted(call.account.conversations.values(), key=lambda row: row.last_activity_at, reverse=True)


def _assigned(call: ApiCall, rows: Sequence[Conversation]) -> list[Conversation]:
    ways = {
        "me": lambda row: row.assignee_id == call.who.id,
        "assigned": lambda row: row.assignee_id is not None,
        "unassigned": lambda row: row.assignee_id is None,
    }
    return list(filter(ways.get(call.query("assignee_type"), lambda row: True), rows))


def _page(call: ApiCall, rows: Sequence[Conversation]) -> Sequence[Conversation]:
    start = _PAGE * (int(call.query("page", "1")) - 1)
    return rows[start : start + _PAGE]


def _shown(call: ApiCall, rows: Sequence[Conversation]) -> list[JsonObject]:
    return [rest.conversation(call.state, row) for row in rows]


def _counts(call: ApiCall, rows: Sequence[Conversation]) -> JsonObject:
    assigned = sum(row.assignee_id is not None for row in rows)
    mine = sum(row.assignee_id == call.who.id for row in rows)
    return {
        "mine_count": mine,
        "assigned_count": assigned,
        "unassigned_count": len(rows) - assigned,
        "all_count": len(rows),
    }


ROUTES = [
    route("GET", "/conversations", index),
    route("GET", "/conversations/meta", meta),
    route("POST", "/conversations/filter", find),
]
