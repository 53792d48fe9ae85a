"""One conversation over HTTP."""

from datetime import UTC, datetime

from local.chatwoot.api.routing import ApiCall, conversation_of, route
from local.chatwoot.errors import crash
from local.chatwoot.model import reported, talk
from local.chatwoot.model.changes import iso
from local.chatwoot.model.rows import Bot, JsonObject, User
from local.chatwoot.views import rest

_STATUSES = ("open", "resolved", "pending", "snoozed")


def show(call: ApiCall) -> JsonObject:
    return rest.conversation(call.state, conversation_of(call))


def create(call: ApiCall) -> JsonObject:
    inbox = call.state.inbox(call.account, call.body["inbox_id"])
    contact = call.state.contact(call.account, call.body["contact_id"])
    identity = call.state.contact_inboxes.get(call.body.get("source_id", ""))
    given = {
        key: call.body[key] for key in ("status", "custom_attributes", "additional_attributes") if key in call.body
    }
    row = talk.begin(call.state, call.events, identity or call.state.identify(contact, inbox), **given)
    if message := call.body.get("message"):
        talk.say(call.state, call.events, row, message["content"], sender=call.who)
    return rest.conversation(call.state, row)


def toggle_status(call: ApiCall) -> JsonObject:
    """Without a status it turns round; an unknown one crashes, as recorded. An agent who opens has it from then on."""
    row = conversation_of(call)
    status = call.body.get("status") or ("open" if row.status == "resolved" else "resolved")
    if status not in _STATUSES:
        crash()
    handed_over = isinstance(call.who, Bot) and row.status == "pending" and status == "open"
    until = datetime.fromtimestamp(int(call.body["snoozed_until"]), UTC) if call.body.get("snoozed_until") else None
    if handed_over:
        reported.handed_over(call.state, row)
    talk.change_status(call.state, call.events, row, status, by=call.who, snoozed_until=until)
    if status == "open" and isinstance(call.who, User) and call.account.members[call.who.id]["role"] == "agent":
        talk.change(call.state, call.events, row, assignee_id=call.who.id)
    answer: JsonObject = {"success": None if handed_over else True, "conversation_id": row.display_id}
    return {"payload": answer | {"current_status": row.status, "snoozed_until": iso(row.snoozed_until)}}


def update(call: ApiCall) -> JsonObject:
    """Its priority, and nothing else."""
    row = conversation_of(call)
    if "priority" in call.body:
        talk.change(call.state, call.events, row, priority=call.body["priority"])
    return rest.conversation(call.state, row)


def toggle_priority(call: ApiCall) -> None:
    row, priority = conversation_of(call), call.body.get("priority")
    talk.change(call.state, call.events, row, priority=priority)
    talk.note(call.state, row, f"{call.who.name} set the priority to {priority}")


def toggle_typing(call: ApiCall) -> None:
    on = call.body["typing_status"] == "on"
    call.events.typing(conversation_of(call), call.who, on=on, private=bool(call.body.get("is_private")))


def set_custom_attributes(call: ApiCall) -> JsonObject:
    """Replaces the whole hash, unlike a contact's; since 4.16 only where nobody asks for `merge`."""
    row, given = conversation_of(call), call.body["custom_attributes"]
    merged = row.custom_attributes | given if call.body.get("merge") and call.state.release.since(4, 16) else given
    talk.change(call.state, call.events, row, custom_attributes=merged)
    return {"custom_attributes": row.custom_attributes}


def labels(call: ApiCall) -> JsonObject:
    return {"payload": conversation_of(call).label_list}


def label(call: ApiCall) -> JsonObject:
    """Replaces the whole set."""
    row = conversation_of(call)
    added = [one for one in call.body["labels"] if one not in row.label_list]
    talk.change(call.state, call.events, row, label_list=list(call.body["labels"]))
    if added:
        talk.note(call.state, row, f"{call.who.name} added {', '.join(added)}")
    return {"payload": row.label_list}


def delete(call: ApiCall) -> None:
    row = conversation_of(call)
    del call.account.conversations[row.display_id]
    for message in row.messages:
        del call.state.messages[message.id]


_ONE = "/conversations/{conversation:int}"
ROUTES = [
    route("POST", "/conversations", create, bots=True),
    route("GET", _ONE, show),
    route("PATCH", _ONE, update, bots=True),
    route("DELETE", _ONE, delete, admin=True, since=(4, 3)),
    route("POST", f"{_ONE}/toggle_status", toggle_status, bots=True),
    route("POST", f"{_ONE}/toggle_priority", toggle_priority, bots=True),
    route("POST", f"{_ONE}/toggle_typing_status", toggle_typing, bots=True),
    route("POST", f"{_ONE}/custom_attributes", set_custom_attributes, bots=True),
    route("GET", f"{_ONE}/labels", labels),
    route("POST", f"{_ONE}/labels", label),
]
