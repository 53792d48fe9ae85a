"""Who answers without a person: agent bots and automation rules."""

from local.chatwoot.api.routing import ApiCall, route
from local.chatwoot.errors import not_found
from local.chatwoot.model.rows import Bot, JsonObject
from local.chatwoot.views.shared import unix


def create_bot(call: ApiCall) -> JsonObject:
    state = call.state
    shown: JsonObject = {key: call.body.get(key) for key in ("name", "description", "outgoing_url")}
    bot = Bot(
        id=state.number("bot"),
        account_id=call.account.id,
        name=shown["name"],
        outgoing_url=shown["outgoing_url"],
        token=state.token(),
        secret=state.token(),
    )
    state.bots[bot.id] = state.tokens[bot.token] = bot
    return _shown(call, bot, shown)


def update_bot(call: ApiCall) -> JsonObject:
    bot = call.state.bots.get(call.number("bot")) or not_found()
    bot.name, bot.outgoing_url = call.body.get("name", bot.name), call.body.get("outgoing_url", bot.outgoing_url)
    return _shown(call, bot, {"name": bot.name, "outgoing_url": bot.outgoing_url})


def list_bots(call: ApiCall) -> list[JsonObject]:
    ours = (one for one in call.state.bots.values() if one.account_id == call.account.id)
    return [_shown(call, one, {"name": one.name, "outgoing_url": one.outgoing_url}) for one in ours]


def _shown(call: ApiCall, bot: Bot, shown: JsonObject) -> JsonObject:
    form: JsonObject = {"id": bot.id, **shown, "bot_type": "webhook", "bot_config": {}, "account_id": call.account.id}
    form |= {"access_token": bot.token}
    return form | ({"thumbnail": "", "secret": bot.secret, "system_bot": False} if call.state.release.modern else {})


def create_rule(call: ApiCall) -> JsonObject:
    row: JsonObject = {"id": call.state.number("rule"), "account_id": call.account.id} | call.body
    row |= {"created_on": unix(call.state.now()), "active": True}
    call.account.rules[row["id"]] = row
    return row


ROUTES = [
    route("GET", "/agent_bots", list_bots),
    route("POST", "/agent_bots", create_bot, admin=True),
    route("PATCH", "/agent_bots/{bot:int}", update_bot, admin=True),
    route("POST", "/automation_rules", create_rule, admin=True),
]
