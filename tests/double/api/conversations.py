"""Conversations over HTTP (facts §4.3)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from tests.double import talk, views
from tests.double.api.door import Call, conversation_of, route
from tests.double.changes import iso
from tests.double.errors import crash
from tests.double.filters import select
from tests.double.rows import Bot, Conversation, Json, User

_PAGE = 25
_STATUSES = ("open", "resolved", "pending", "snoozed")
_COLUMNS = set("status priority inbox_id assignee_id team_id display_id created_at last_activity_at".split())


def index(call: Call) -> Json:
    """Open ones by default. With `updated_within` seconds everything in that span, on one page."""
    rows, span = _listed(call), call.query("updated_within")
    if span:
        since = call.state.now() - timedelta(seconds=int(span))
        rows = [row for row in rows if row.updated_at > since]
    counts = _counts(call, rows)
    rows = _assigned(call, rows)
    return {"data": {"meta": counts, "payload": _shown(call, rows if span else _page(call, rows))}}


def meta(call: Call) -> Json:
    return {"meta": _counts(call, _listed(call))}


def find(call: Call) -> Json:
    """POST conversations/filter; no `data` around it, and no assigned_count."""
    found = select(_latest_first(call), call.body.get("payload") or [], known=_COLUMNS, value=getattr)
    counts = _counts(call, found)
    del counts["assigned_count"]
    return {"meta": counts, "payload": _shown(call, _page(call, found))}


def show(call: Call) -> Json:
    return views.conversation(call.state, conversation_of(call))


def create(call: Call) -> Json:
    inbox = call.state.inbox(call.account, call.body["inbox_id"])
    contact = call.state.contact(call.account, call.body["contact_id"])
    identity = call.state.contact_inboxes.get(call.body.get("source_id", ""))
    given = {
        key: call.body[key] for key in ("status", "custom_attributes", "additional_attributes") if key in call.body
    }
    row = talk.begin(call.state, call.events, identity or call.state.identify(contact, inbox), **given)
    if message := call.body.get("message"):
        talk.say(call.state, call.events, row, message["content"], sender=call.who)
    return views.conversation(call.state, row)


def toggle_status(call: Call) -> Json:
    """Without a status it turns round; an unknown one crashes, as recorded. An agent who opens has it from then on."""
    row = conversation_of(call)
    status = call.body.get("status") or ("open" if row.status == "resolved" else "resolved")
    if status not in _STATUSES:
        crash()
    handed_over = isinstance(call.who, Bot) and row.status == "pending" and status == "open"
    until = datetime.fromtimestamp(int(call.body["snoozed_until"]), UTC) if call.body.get("snoozed_until") else None
    talk.change_status(call.state, call.events, row, status, by=call.who, snoozed_until=until)
    if status == "open" and isinstance(call.who, User) and call.account.members[call.who.id]["role"] == "agent":
        talk.change(call.state, call.events, row, assignee_id=call.who.id)
    told: Json = {"success": None if handed_over else True, "conversation_id": row.display_id}
    return {"payload": told | {"current_status": row.status, "snoozed_until": iso(row.snoozed_until)}}


def toggle_priority(call: Call) -> None:
    row, priority = conversation_of(call), call.body.get("priority")
    talk.change(call.state, call.events, row, priority=priority)
    talk.note(call.state, row, f"{call.who.name} set the priority to {priority}")


def toggle_typing(call: Call) -> None:
    on = call.body["typing_status"] == "on"
    call.events.typing(conversation_of(call), call.who, on=on, private=bool(call.body.get("is_private")))


def set_custom_attributes(call: Call) -> Json:
    """Replaces the whole hash, unlike a contact's."""
    row = conversation_of(call)
    talk.change(call.state, call.events, row, custom_attributes=call.body["custom_attributes"])
    return {"custom_attributes": row.custom_attributes}


def labels(call: Call) -> Json:
    return {"payload": conversation_of(call).label_list}


def label(call: Call) -> Json:
    """Replaces the whole set."""
    row = conversation_of(call)
    added = [one for one in call.body["labels"] if one not in row.label_list]
    talk.change(call.state, call.events, row, label_list=list(call.body["labels"]))
    if added:
        talk.note(call.state, row, f"{call.who.name} added {', '.join(added)}")
    return {"payload": row.label_list}


def delete(call: Call) -> None:
    row = conversation_of(call)
    del call.account.conversations[row.display_id]
    for message in row.messages:
        del call.state.messages[message.id]


def _listed(call: Call) -> list[Conversation]:
    wanted, inbox = call.query("status", "open"), call.query("inbox_id")
    return [
        row
        for row in _latest_first(call)
        if wanted in ("all", row.status) and (not inbox or row.inbox_id == int(inbox))
    ]


def _latest_first(call: Call) -> list[Conversation]:
    return sorted(call.account.conversations.values(), key=lambda row: row.last_activity_at, reverse=True)


def _assigned(call: Call, rows: Sequence[Conversation]) -> list[Conversation]:
    ways = {
        "me": lambda row: row.assignee_id == call.who.id,
        "assigned": lambda row: row.assignee_id is not None,
        "unassigned": lambda row: row.assignee_id is None,
    }
    return list(filter(ways.get(call.query("assignee_type"), lambda row: True), rows))


def _page(call: Call, rows: Sequence[Conversation]) -> Sequence[Conversation]:
    start = _PAGE * (int(call.query("page", "1")) - 1)
    return rows[start : start + _PAGE]


def _shown(call: Call, rows: Sequence[Conversation]) -> list[Json]:
    return [views.conversation(call.state, row) for row in rows]


def _counts(call: Call, rows: Sequence[Conversation]) -> Json:
    assigned = sum(row.assignee_id is not None for row in rows)
    mine = sum(row.assignee_id == call.who.id for row in rows)
    return {
        "mine_count": mine,
        "assigned_count": assigned,
        "unassigned_count": len(rows) - assigned,
        "all_count": len(rows),
    }


_ONE = "/conversations/{conversation:int}"
ROUTES = [
    route("GET", "/conversations", index),
    route("POST", "/conversations", create, bots=True),
    route("GET", "/conversations/meta", meta),
    route("POST", "/conversations/filter", find),
    route("GET", _ONE, show),
    route("DELETE", _ONE, delete, admin=True, since=(4, 3)),
    route("POST", f"{_ONE}/toggle_status", toggle_status, bots=True),
    route("POST", f"{_ONE}/toggle_priority", toggle_priority, bots=True),
    route("POST", f"{_ONE}/toggle_typing_status", toggle_typing, bots=True),
    route("POST", f"{_ONE}/custom_attributes", set_custom_attributes, bots=True),
    route("GET", f"{_ONE}/labels", labels),
    route("POST", f"{_ONE}/labels", label),
]
