"""One contact over HTTP."""

from starlette.responses import Response

from local.chatwoot.api.routing import ApiCall, route
from local.chatwoot.errors import ErrorResponse
from local.chatwoot.model import contact_changes
from local.chatwoot.model.rows import Contact, JsonObject, User
from local.chatwoot.views import rest
from local.chatwoot.views.inboxes import inbox_raw, inbox_slim
from local.chatwoot.views.shared import unix


def show(call: ApiCall) -> JsonObject:
    return {"payload": rest.contact(call.state, _contact(call))}


def create(call: ApiCall) -> JsonObject:
    """Without a body an empty contact is made. Only with an inbox there is an identity in it."""
    inbox = call.state.inbox(call.account, call.body["inbox_id"]) if call.body.get("inbox_id") else None
    row = contact_changes.create(call.state, call.events, call.account, **call.body)
    identity = call.state.identify(row, inbox, call.body.get("source_id")) if inbox else None
    made = {
        "inbox": inbox_raw(call.state, inbox) if inbox else None,
        "source_id": identity.source_id if identity else None,
    }
    return {"payload": {"contact": rest.contact(call.state, row), "contact_inbox": made}}


def update(call: ApiCall) -> JsonObject:
    row = _contact(call)
    contact_changes.update(call.state, call.events, row, call.body)
    return {"payload": rest.contact(call.state, row)}


def destroy_custom_attributes(call: ApiCall) -> JsonObject:
    row, gone = _contact(call), set(call.body.get("custom_attributes") or ())
    kept = {key: value for key, value in row.custom_attributes.items() if key not in gone}
    contact_changes.store(call.state, call.events, row, custom_attributes=kept)
    return {"payload": rest.contact(call.state, row)}


def merge(call: ApiCall) -> JsonObject:
    base = call.state.contact(call.account, call.body["base_contact_id"])
    contact_changes.merge(
        call.state, call.events, base, call.state.contact(call.account, call.body["mergee_contact_id"])
    )
    return rest.contact(call.state, base, identities=False)


def delete(call: ApiCall) -> None:
    """Refused while they are online."""
    row = _contact(call)
    if call.state.is_online(row):
        raise ErrorResponse(422, {"message": f"{row.name} is online: try again later"})
    contact_changes.delete(call.state, row)


def notes(call: ApiCall) -> list[JsonObject]:
    return _contact(call).notes


def add_note(call: ApiCall) -> JsonObject:
    row, now = _contact(call), unix(call.state.now())
    assert isinstance(call.who, User)
    made: JsonObject = {"id": call.state.number("note"), "content": call.body["content"], "contact_id": row.id}
    made |= {"account_id": call.account.id, "user": rest.agent(call.state, call.account, call.who)}
    row.notes.append(made | {"created_at": now, "updated_at": now})
    return row.notes[-1]


def add_identity(call: ApiCall) -> JsonObject:
    """Somebody's identity in one more inbox, by the source id that was given or a new one."""
    inbox = call.state.inbox(call.account, call.body["inbox_id"])
    identity = call.state.identify(_contact(call), inbox, call.body.get("source_id"))
    return {"source_id": identity.source_id, "inbox": inbox_slim(inbox)}


def find_by_source(call: ApiCall) -> JsonObject | Response:
    """Who bears a source id in an inbox; 404 without a body where nobody does (facts §4.2)."""
    identity = call.state.contact_inboxes.get(call.body.get("source_id", ""))
    if identity is None or identity.inbox_id != call.state.inbox(call.account, call.body["inbox_id"]).id:
        return Response(status_code=404)
    return rest.contact(call.state, call.state.contact(call.account, identity.contact_id))


def conversations(call: ApiCall) -> JsonObject:
    rows = sorted(call.state.conversations_of(_contact(call)), key=lambda row: row.last_activity_at, reverse=True)
    return {"payload": [rest.conversation(call.state, row) for row in rows[:20]]}


def contactable_inboxes(call: ApiCall) -> JsonObject:
    """API inboxes, with a source id to use where the contact has none in them yet."""
    known = {row.inbox_id: row.source_id for row in call.state.identities(_contact(call))}
    inboxes = [inbox for inbox in call.state.inboxes_of(call.account) if not inbox.is_widget]
    shown = [{"inbox": inbox_slim(one), "source_id": known.get(one.id) or call.state.uuid()} for one in inboxes]
    return {"payload": shown}


def labels(call: ApiCall) -> JsonObject:
    return {"payload": _contact(call).labels}


def label(call: ApiCall) -> JsonObject:
    row = _contact(call)
    row.labels = list(call.body["labels"])
    return {"payload": row.labels}


def _contact(call: ApiCall) -> Contact:
    return call.state.contact(call.account, call.number("contact"))


ROUTES = [
    route("POST", "/contacts", create),
    route("GET", "/contacts/{contact:int}", show),
    route("PUT", "/contacts/{contact:int}", update),
    route("PATCH", "/contacts/{contact:int}", update),
    route("DELETE", "/contacts/{contact:int}", delete, admin=True),
    route("POST", "/contacts/{contact:int}/destroy_custom_attributes", destroy_custom_attributes),
    route("GET", "/contacts/{contact:int}/conversations", conversations),
    route("GET", "/contacts/{contact:int}/contactable_inboxes", contactable_inboxes),
    route("GET", "/contacts/{contact:int}/labels", labels),
    route("POST", "/contacts/{contact:int}/labels", label),
    route("GET", "/contacts/{contact:int}/notes", notes),
    route("POST", "/contacts/{contact:int}/notes", add_note),
    route("POST", "/contacts/{contact:int}/contact_inboxes", add_identity),
    route("POST", "/contact_inboxes/filter", find_by_source),
    route("POST", "/actions/contact_merge", merge),
]
