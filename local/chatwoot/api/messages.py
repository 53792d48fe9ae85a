"""Messages and assignments of one conversation over HTTP."""

from local.chatwoot.api.routing import ApiCall, conversation_of, route
from local.chatwoot.errors import not_found, unprocessable
from local.chatwoot.model import talk
from local.chatwoot.model.rows import Conversation, JsonObject, Message
from local.chatwoot.views import rest, shared

_PAGE = 20
_PAGE_AFTER = 100
_LONGEST = 150_000


def index(call: ApiCall) -> JsonObject:
    """The newest 20 in ascending order; `before` an id 20 older ones, `after` an id up to 100 newer ones."""
    row = conversation_of(call)
    from_an_id = bool(call.query("after"))  # 0 is an id, too: then it begins with the oldest
    before, after = int(call.query("before") or 0), int(call.query("after") or 0)
    rows = [one for one in row.messages if one.id > after and (not before or one.id < before)]
    shown = rows[:_PAGE_AFTER] if from_an_id else rows[-_PAGE:]
    return {"meta": _meta(call, row), "payload": [rest.message(call.state, one) for one in shown]}


def create(call: ApiCall) -> JsonObject:
    """Of whoever calls, or of the customer where it is `incoming`, which only API inboxes take."""
    row, content = conversation_of(call), call.body.get("content")
    kind = call.body.get("message_type") or "outgoing"
    if kind == "incoming" and call.state.inboxes[row.inbox_id].is_widget:
        unprocessable("Incoming messages are only allowed in Api inboxes")
    if len(content or "") > _LONGEST:
        unprocessable("Validation failed: Content is too long (maximum is 150000 characters)")
    incoming = kind == "incoming"
    message = talk.say(
        call.state,
        call.events,
        row,
        content,
        message_type=kind,
        private=bool(call.body.get("private")),
        sender=call.state.partner(row) if incoming else call.who,
        source_id=call.body.get("source_id"),
    )
    return rest.message(call.state, message)


def delete(call: ApiCall) -> JsonObject:
    message = _message(call)
    talk.erase(call.state, call.events, message)
    return rest.message(call.state, message)


def assign(call: ApiCall) -> JsonObject | None:
    """To a person, to nobody, or to a team; the answer is whoever has it now."""
    row = conversation_of(call)
    if "team_id" in call.body:
        team = call.account.teams.get(call.body["team_id"] or 0)
        # Nobody is a member of the double's teams, so whoever had it has it no more.
        talk.change(call.state, call.events, row, team_id=team["id"] if team else None, assignee_id=None)
        if team:
            talk.note(call.state, row, f"Assigned to {team['name']} by {call.who.name}")
        return team
    agent = call.state.users.get(call.body["assignee_id"] or 0)
    talk.change(call.state, call.events, row, assignee_id=agent.id if agent else None)
    if agent:
        talk.note(call.state, row, f"Assigned to {agent.name} by {call.who.name}")
    return rest.agent(call.state, call.account, agent) if agent else None


def _message(call: ApiCall) -> Message:
    found = call.state.messages.get(call.number("message"))
    return found if found and found.conversation is conversation_of(call) else not_found()


def _meta(call: ApiCall, row: Conversation) -> JsonObject:
    form: JsonObject = {
        "labels": row.label_list,
        "additional_attributes": row.additional_attributes,
        "contact": shared.contact(call.state.partner(row), call.state.release),
        "agent_last_seen_at": None,
        "assignee_last_seen_at": None,
    }
    return form | ({"assignee": shared.user(call.state.users[row.assignee_id])} if row.assignee_id else {})


_ONE = "/conversations/{conversation:int}"
ROUTES = [
    route("GET", f"{_ONE}/messages", index),
    route("POST", f"{_ONE}/messages", create, bots=True),
    route("DELETE", f"{_ONE}/messages/{{message:int}}", delete),
    route("POST", f"{_ONE}/assignments", assign, bots=True),
]
