"""The Platform API: accounts, users and who belongs where."""

from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.chatwoot.api.routing import answer, body_of
from local.chatwoot.double import Double
from local.chatwoot.errors import RecordInvalid, missing_on_platform, unauthorized
from local.chatwoot.model.changes import iso
from local.chatwoot.model.rows import Account, JsonObject, User
from local.chatwoot.views.users import user

_FEATURES = """
    inbound_emails channel_email channel_facebook channel_twitter help_center macros agent_management team_management
    inbox_management labels custom_attributes automations canned_responses integrations voice_recorder channel_website
    campaigns reports crm auto_resolve_conversations
""".split()
_MODERN_FEATURES = """
    agent_bots chatwoot_v4 contact_chatwoot_support_team channel_instagram assignment_v2 channel_tiktok captain_tasks
""".split()
_SETTINGS = ("name", "locale", "domain", "support_email", "custom_attributes", "limits", "status")
_SPECIAL = set("!@#$%^&*()_+-=[]{}|\"/\\.,`<>:;?~'")
_PASSWORD: list[tuple[str, Callable[[str], bool]]] = [
    ("must contain at least 6 characters", lambda word: len(word) >= 6),
    ("must contain at least 1 uppercase character  (A..Z)", lambda word: any(one.isupper() for one in word)),
    ("must contain at least 1 number character  (0..9)", lambda word: any(one.isdigit() for one in word)),
    ("must contain at least 1 special character", lambda word: bool(_SPECIAL & set(word))),
]
PlatformHandler = Callable[[Double, Request, JsonObject], Any]


def create_account(double: Double, request: Request, body: JsonObject) -> JsonObject:
    features = _FEATURES + (_MODERN_FEATURES if double.state.release.modern else [])
    settings: JsonObject = {
        "locale": "en",
        "domain": None,
        "support_email": None,
        "custom_attributes": {},
        "limits": {},
    }
    settings |= {"features": dict.fromkeys(features, True), "status": "active"} | _settings(body)
    row = Account(id=double.state.number("account"), settings=settings)
    double.state.accounts[row.id] = row
    double.state.platform_accounts.add(row.id)
    return _account(row)


def list_accounts(double: Double, request: Request, body: JsonObject) -> list[JsonObject]:
    """Absent in 4.3, there in 4.10 (facts, timeline): before, nobody tells which accounts an app has made."""
    if not double.state.release.since(4, 10):
        raise HTTPException(404)
    return [_account(row) for row in double.state.accounts.values() if row.id in double.state.platform_accounts]


def show_account(double: Double, request: Request, body: JsonObject) -> JsonObject:
    return _account(_named_account(double, request))


def update_account(double: Double, request: Request, body: JsonObject) -> JsonObject:
    row = _named_account(double, request)
    row.settings |= _settings(body)
    return _account(row)


def delete_account(double: Double, request: Request, body: JsonObject) -> None:
    """By a job, `finish_deletions`: recorded, the account was still there four seconds later."""
    double.state.deleted_later.add(_named_account(double, request).id)


def create_user(double: Double, request: Request, body: JsonObject) -> JsonObject:
    """Somebody with this e-mail address already: that user, unchanged."""
    state, email = double.state, body["email"].lower()
    row = next((one for one in state.users.values() if one.email == email), None)
    if row is None:
        if missing := [("password", text) for text, meets in _PASSWORD if not meets(body["password"])]:
            raise RecordInvalid(missing)
        row = User(
            id=state.number("user"),
            name=body["name"],
            email=email,
            token=state.token(),
            pubsub_token=state.token(),
            custom_attributes=body.get("custom_attributes"),
        )
        state.users[row.id] = state.tokens[row.token] = row
    return user(double.state, row)


def update_user(double: Double, request: Request, body: JsonObject) -> JsonObject:
    """Custom attributes are merged; a new address counts at once, without a letter to confirm it."""
    row = _named_user(double, request)
    row.name, row.email = body.get("name", row.name), body.get("email", row.email).lower()
    if "custom_attributes" in body:
        row.custom_attributes = (row.custom_attributes or {}) | body["custom_attributes"]
    return user(double.state, row)


def delete_user(double: Double, request: Request, body: JsonObject) -> None:
    """Out of every account at once here; Chatwoot takes a moment."""
    row = _named_user(double, request)
    for account in double.state.accounts.values():
        account.members.pop(row.id, None)
    del double.state.users[row.id], double.state.tokens[row.token]


def show_user(double: Double, request: Request, body: JsonObject) -> JsonObject:
    return user(double.state, _named_user(double, request))


def show_token(double: Double, request: Request, body: JsonObject) -> JsonObject:
    if not double.state.release.since(4, 3):
        raise HTTPException(404)
    row = _named_user(double, request)
    shown = {"id": row.id, "name": row.name, "display_name": None, "email": row.email}
    return {"access_token": row.token, "expiry": None, "user": shown | {"pubsub_token": row.pubsub_token}}


def login(double: Double, request: Request, body: JsonObject) -> JsonObject:
    row = _named_user(double, request)
    return {"url": f"{request.base_url}app/login?email={row.email}&sso_auth_token={double.state.token()}"}


def list_members(double: Double, request: Request, body: JsonObject) -> list[JsonObject]:
    return list(_named_account(double, request).members.values())


def add_member(double: Double, request: Request, body: JsonObject) -> JsonObject:
    """Again is the same, with the role it has now."""
    account, now = _named_account(double, request), iso(double.state.now())
    row = account.members.get(body["user_id"]) or {
        "id": double.state.number("member"),
        "account_id": account.id,
        "user_id": body["user_id"],
        "inviter_id": None,
        "created_at": now,
        "updated_at": now,
        "active_at": None,
        "availability": "online",
        "auto_offline": True,
        "custom_role_id": None,
        **({"agent_capacity_policy_id": None} if double.state.release.modern else {}),
    }
    account.members[body["user_id"]] = row | {"role": body.get("role", "agent")}
    return account.members[body["user_id"]]


def remove_member(double: Double, request: Request, body: JsonObject) -> None:
    number = body.get("user_id") or request.query_params.get("user_id") or 0
    _named_account(double, request).members.pop(int(number), None) or missing_on_platform()


def _settings(body: JsonObject) -> JsonObject:
    return {key: body[key] for key in _SETTINGS if key in body}


def _account(row: Account) -> JsonObject:
    return {"id": row.id} | row.settings


def _named_account(double: Double, request: Request) -> Account:
    """One that was made in the UI, or by another app, is not this app's to see."""
    row = double.state.accounts.get(request.path_params["account"]) or missing_on_platform()
    if row.id not in double.state.platform_accounts:
        unauthorized("Non permissible resource")
    return row


def _named_user(double: Double, request: Request) -> User:
    return double.state.users.get(request.path_params["user"]) or missing_on_platform()


def _route(method: str, path: str, handler: PlatformHandler) -> Route:
    async def endpoint(request: Request) -> Response:
        double: Double = request.app.state.double
        if request.headers.get("api_access_token") != double.state.platform_token:
            unauthorized("Invalid access_token")
        return await answer(double, handler(double, request, await body_of(request)))

    return Route("/platform/api/v1" + path, endpoint, methods=[method])


ROUTES = [
    _route("POST", "/accounts", create_account),
    _route("GET", "/accounts", list_accounts),
    _route("GET", "/accounts/{account:int}", show_account),
    _route("PATCH", "/accounts/{account:int}", update_account),
    _route("DELETE", "/accounts/{account:int}", delete_account),
    _route("GET", "/accounts/{account:int}/account_users", list_members),
    _route("POST", "/accounts/{account:int}/account_users", add_member),
    _route("DELETE", "/accounts/{account:int}/account_users", remove_member),
    _route("POST", "/users", create_user),
    _route("GET", "/users/{user:int}", show_user),
    _route("PATCH", "/users/{user:int}", update_user),
    _route("DELETE", "/users/{user:int}", delete_user),
    _route("POST", "/users/{user:int}/token", show_token),
    _route("GET", "/users/{user:int}/login", login),
]
