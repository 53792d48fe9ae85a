"""What a store is set up with: webhooks, custom attributes, labels, teams."""

import re

from starlette.responses import Response

from local.chatwoot.api.routing import ApiCall, route
from local.chatwoot.errors import RecordInvalid, not_found
from local.chatwoot.model.changes import iso
from local.chatwoot.model.rows import JsonObject, User, Webhook
from local.chatwoot.views import rest

_URL = re.compile(r"https?://\S+")
_BUILT_IN = {
    "contact_attribute": set(
        "name email phone_number identifier country_code city created_at last_activity_at referer blocked".split()
    ),
    "conversation_attribute": set(
        """
        status priority assignee_id inbox_id team_id display_id campaign_id labels browser_language country_code
        referer created_at last_activity_at
        """.split()
    ),
}


def list_webhooks(call: ApiCall) -> JsonObject:
    return {"payload": {"webhooks": [_webhook(call, one) for one in call.account.webhooks.values()]}}


def create_webhook(call: ApiCall) -> JsonObject:
    secret = call.state.token() if call.state.release.signs else None
    row = Webhook(
        id=call.state.number("webhook"), account_id=call.account.id, url="", name=None, subscriptions=[], secret=secret
    )
    _fill(call, row, {"subscriptions": call.state.release.default_subscriptions} | _wrapped(call, "webhook"))
    call.account.webhooks[row.id] = row
    return {"payload": {"webhook": _webhook(call, row)}}


def update_webhook(call: ApiCall) -> JsonObject:
    row = call.account.webhooks.get(call.number("webhook")) or not_found()
    _fill(call, row, {"url": row.url, "name": row.name, "subscriptions": row.subscriptions} | _wrapped(call, "webhook"))
    return {"payload": {"webhook": _webhook(call, row)}}


def delete_webhook(call: ApiCall) -> None:
    call.account.webhooks.pop(call.number("webhook"), None) or not_found()


def list_definitions(call: ApiCall) -> list[JsonObject]:
    model = call.query("attribute_model", "conversation_attribute")
    return [one for one in call.account.definitions.values() if one["attribute_model"] == model]


def create_definition(call: ApiCall) -> JsonObject:
    given = _wrapped(call, "custom_attribute_definition")
    key, model = given["attribute_key"], given.get("attribute_model", "conversation_attribute")
    if any((one["attribute_key"], one["attribute_model"]) == (key, model) for one in call.account.definitions.values()):
        raise RecordInvalid([("attribute_key", "has already been taken")])
    if key in _BUILT_IN[model]:
        raise RecordInvalid(
            [("attribute_key", "The provided key is not allowed as it might conflict with default attributes.")]
        )
    now = iso(call.state.now())
    empty = dict.fromkeys(("attribute_description", "regex_pattern", "regex_cue", "default_value"))
    row: JsonObject = {"id": call.state.number("definition"), "attribute_values": [], **empty} | given
    row |= {"attribute_model": model, "created_at": now, "updated_at": now}
    call.account.definitions[row["id"]] = row
    return row


def update_definition(call: ApiCall) -> JsonObject:
    row = call.account.definitions.get(call.number("definition")) or not_found()
    row |= _wrapped(call, "custom_attribute_definition") | {"updated_at": iso(call.state.now())}
    return row


def delete_definition(call: ApiCall) -> Response:
    """204, unlike other deletions."""
    call.account.definitions.pop(call.number("definition"), None) or not_found()
    return Response(status_code=204)


def delete_label(call: ApiCall) -> None:
    call.account.labels.pop(call.number("label"), None) or not_found()


def delete_agent(call: ApiCall) -> None:
    """The user stays, and is no member of this account any more."""
    call.account.members.pop(call.number("agent"), None) or not_found()


def list_labels(call: ApiCall) -> JsonObject:
    return {"payload": list(call.account.labels.values())}


def create_label(call: ApiCall) -> JsonObject:
    row: JsonObject = {"id": call.state.number("label"), "description": None, "color": "#1f93ff"} | _wrapped(
        call, "label"
    )
    if any(one["title"] == row["title"] for one in call.account.labels.values()):
        raise RecordInvalid([("title", "has already been taken")])
    call.account.labels[row["id"]] = row
    return row


def list_teams(call: ApiCall) -> list[JsonObject]:
    return list(call.account.teams.values())


def list_agents(call: ApiCall) -> list[JsonObject]:
    return [rest.agent(call.state, call.account, call.state.users[number]) for number in sorted(call.account.members)]


def create_agent(call: ApiCall) -> JsonObject:
    """Somebody with this address already joins the account; a new one is sent an invitation."""
    state, email = call.state, call.body["email"].lower()
    row = next((one for one in state.users.values() if one.email == email), None)
    if row is None:
        number = state.number("user")
        row = User(id=number, name=call.body["name"], email=email, token=state.token(), pubsub_token=state.token())
        state.users[row.id] = state.tokens[row.token] = row
    call.account.members[row.id] = {"role": call.body["role"]}
    return rest.agent(state, call.account, row)


def update_agent(call: ApiCall) -> JsonObject:
    member = call.account.members.get(call.number("agent")) or not_found()
    member["role"] = call.body["role"]
    return rest.agent(call.state, call.account, call.state.users[call.number("agent")])


def create_team(call: ApiCall) -> JsonObject:
    row: JsonObject = {"id": call.state.number("team"), "description": None, **call.body, "account_id": call.account.id}
    now = iso(call.state.now())
    call.account.teams[row["id"]] = row = row | {"created_at": now, "updated_at": now}
    return rest.team(row)


def _wrapped(call: ApiCall, name: str) -> JsonObject:
    """Rails takes both `{…}` and `{name: {…}}` (facts §4.1)."""
    given = call.body.get(name)
    return given if isinstance(given, dict) else call.body


def _fill(call: ApiCall, row: Webhook, given: JsonObject) -> None:
    """Raises RecordInvalid before anything changes."""
    if not _URL.fullmatch(given.get("url") or ""):
        raise RecordInvalid([("url", "is invalid")])
    if any(one.url == given["url"] and one is not row for one in call.account.webhooks.values()):
        raise RecordInvalid([("url", "has already been taken")])
    if not given["subscriptions"] or not set(given["subscriptions"]) <= set(call.state.release.subscriptions):
        raise RecordInvalid([("subscriptions", "Invalid events")])
    row.url, row.name, row.subscriptions = given["url"], given.get("name"), given["subscriptions"]


def _webhook(call: ApiCall, row: Webhook) -> JsonObject:
    form: JsonObject = {"id": row.id, "url": row.url, "account_id": row.account_id, "subscriptions": row.subscriptions}
    if call.state.release.modern:
        form["name"] = row.name
    return form | ({"secret": row.secret} if call.state.release.signs else {})


ROUTES = [
    route("GET", "/webhooks", list_webhooks, admin=True),
    route("POST", "/webhooks", create_webhook, admin=True),
    route("PATCH", "/webhooks/{webhook:int}", update_webhook, admin=True),
    route("DELETE", "/webhooks/{webhook:int}", delete_webhook, admin=True),
    route("GET", "/custom_attribute_definitions", list_definitions),
    route("POST", "/custom_attribute_definitions", create_definition),
    route("PATCH", "/custom_attribute_definitions/{definition:int}", update_definition),
    route("DELETE", "/custom_attribute_definitions/{definition:int}", delete_definition),
    route("GET", "/labels", list_labels),
    route("DELETE", "/labels/{label:int}", delete_label, admin=True),
    route("POST", "/labels", create_label, admin=True),
    route("GET", "/agents", list_agents),
    route("POST", "/agents", create_agent, admin=True),
    route("PATCH", "/agents/{agent:int}", update_agent, admin=True),
    route("DELETE", "/agents/{agent:int}", delete_agent, admin=True),
    route("GET", "/teams", list_teams),
    route("POST", "/teams", create_team, admin=True),
]
