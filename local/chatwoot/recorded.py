"""What an account was set up with, as its recorded API calls tell: inboxes, who answers first in them, teams."""

from typing import Any

from local.chatwoot.double import Double
from local.chatwoot.model.rows import Account, Bot, Inbox, JsonObject
from local.chatwoot.views.inboxes import new_channel, new_settings


def add_recorded_settings(double: Double, account: Account, method: str, path: str, request: Any, answer: Any) -> None:
    """Make what this call shows or changed; call after call leaves the account as it was in the end."""
    match (method, *path.split("/")):
        case ("GET", "inboxes"):
            for shown in answer["payload"]:
                _add_inbox(double, account, shown)
        case ("POST", "inboxes") | ("GET" | "PATCH", "inboxes", _):
            _add_inbox(double, account, answer)
        case ("POST", "agent_bots"):
            _add_bot(double, account, answer)
        case ("POST", "inboxes", inbox, "set_agent_bot"):
            number = request["agent_bot"]
            double.state.inboxes[int(inbox)].bot = double.state.bots[number] if number else None
        case ("POST", "teams"):
            double.state.used("team", answer["id"])
            account.teams[answer["id"]] = answer


def _add_inbox(double: Double, account: Account, shown: JsonObject) -> None:
    """As it is shown now; its bot stays."""
    state, widget = double.state, shown["channel_type"] == "Channel::WebWidget"
    before = state.inboxes.get(shown["id"])
    state.used("inbox", shown["id"])
    state.inboxes[shown["id"]] = Inbox(
        id=shown["id"],
        channel_id=shown["channel_id"],
        account_id=account.id,
        channel_type=shown["channel_type"],
        settings=_as_shown(new_settings({}), shown) | {"name": shown["name"]},
        channel=_as_shown(new_channel({}, widget=widget), shown),
        token=shown["website_token" if widget else "inbox_identifier"],
        hmac_token=shown["hmac_token"],
        secret=shown.get("secret"),
        created_at=state.now(),
        updated_at=state.now(),
        bot=before.bot if before else None,
    )


def _add_bot(double: Double, account: Account, shown: JsonObject) -> None:
    state = double.state
    state.used("bot", shown["id"])
    bot = Bot(
        id=shown["id"],
        account_id=account.id,
        name=shown["name"],
        outgoing_url=shown["outgoing_url"],
        token=shown["access_token"],
        secret=shown["secret"],
    )
    state.bots[bot.id] = state.tokens[bot.token] = bot


def _as_shown(new: JsonObject, shown: JsonObject) -> JsonObject:
    return {key: shown.get(key, value) for key, value in new.items()}
