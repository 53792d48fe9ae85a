"""Inboxes over HTTP."""

from collections.abc import Iterable

from local.chatwoot.api.routing import ApiCall, route
from local.chatwoot.errors import unprocessable
from local.chatwoot.model.rows import Inbox, JsonObject
from local.chatwoot.views import rest
from local.chatwoot.views.inboxes import inbox_full, new_channel, new_settings

_KINDS = {"web_widget": "Channel::WebWidget", "api": "Channel::Api"}


def index(call: ApiCall) -> JsonObject:
    return {"payload": [inbox_full(call.state, row) for row in call.state.inboxes_of(call.account)]}


def show(call: ApiCall) -> JsonObject:
    return inbox_full(call.state, _inbox(call))


def create(call: ApiCall) -> JsonObject:
    """Web widgets and API inboxes; only the latter have a secret, since their callbacks are signed."""
    state, now, channel = call.state, call.state.now(), dict(call.body["channel"])
    kind = channel.pop("type")
    if kind not in _KINDS:
        unprocessable("The double has web_widget and api inboxes only")
    widget = kind == "web_widget"
    row = Inbox(
        id=state.number("inbox"),
        channel_id=state.number(kind),
        account_id=call.account.id,
        channel_type=_KINDS[kind],
        settings=new_settings(_settings(call.body)),
        channel=new_channel(channel, widget=widget),
        token=state.token(),
        hmac_token=state.token(),
        secret=None if widget or not state.release.since(4, 13) else state.token(),
        created_at=now,
        updated_at=now,
    )
    state.inboxes[row.id] = row
    return inbox_full(state, row)


def update(call: ApiCall) -> JsonObject:
    row = _inbox(call)
    row.settings |= _settings(call.body)
    row.channel |= call.body.get("channel") or {}
    row.updated_at = call.state.now()
    return inbox_full(call.state, row)


def reset_secret(call: ApiCall) -> JsonObject:
    row = _inbox(call)
    row.secret = call.state.token()
    return inbox_full(call.state, row)


def agent_bot(call: ApiCall) -> JsonObject:
    """The key is always there; without a bot it is empty."""
    bot = _inbox(call).bot
    return {"agent_bot": {"id": bot.id, "name": bot.name, "account_id": call.account.id} if bot else {}}


def set_agent_bot(call: ApiCall) -> None:
    number = call.body["agent_bot"]
    _inbox(call).bot = call.state.bots[number] if number else None


def add_members(call: ApiCall) -> JsonObject:
    row = call.state.inbox(call.account, call.body["inbox_id"])
    row.members |= {*call.body["user_ids"]}
    return _members(call, call.body["user_ids"])


def list_members(call: ApiCall) -> JsonObject:
    return _members(call, _inbox(call).members)


def _members(call: ApiCall, numbers: Iterable[int]) -> JsonObject:
    users = (call.state.users[number] for number in sorted(numbers))
    return {"payload": [rest.agent(call.state, call.account, user) for user in users]}


def _inbox(call: ApiCall) -> Inbox:
    return call.state.inbox(call.account, call.number("inbox"))


def _settings(body: JsonObject) -> JsonObject:
    return {key: value for key, value in body.items() if key != "channel"}


ROUTES = [
    route("GET", "/inboxes", index),
    route("POST", "/inboxes", create, admin=True),
    route("GET", "/inboxes/{inbox:int}", show),
    route("PATCH", "/inboxes/{inbox:int}", update, admin=True),
    route("POST", "/inboxes/{inbox:int}/reset_secret", reset_secret, admin=True, since=(4, 13)),
    route("GET", "/inboxes/{inbox:int}/agent_bot", agent_bot),
    route("POST", "/inboxes/{inbox:int}/set_agent_bot", set_agent_bot, admin=True),
    route("POST", "/inbox_members", add_members, admin=True),
    route("GET", "/inbox_members/{inbox:int}", list_members),
]
