"""Who calls, for which account, with what: everything a handler gets, and what its answer becomes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.chatwoot.double import Double
from local.chatwoot.errors import ErrorResponse, not_found, unauthorized
from local.chatwoot.model.rows import Account, Bot, Conversation, JsonObject, User
from local.chatwoot.model.state import DoubleState
from local.chatwoot.webhooks.listener import WebhookListener

_ACCOUNT = "/api/{version}/accounts/{{account:int}}"


@dataclass(frozen=True, slots=True)
class ApiCall:
    """An admitted call to one account; `body` is empty where none was sent."""

    double: Double
    request: Request
    body: JsonObject
    account: Account
    who: User | Bot

    @property
    def state(self) -> DoubleState:
        return self.double.state

    @property
    def events(self) -> WebhookListener:
        return self.double.events

    def number(self, name: str) -> int:
        """A number of the path."""
        return int(self.request.path_params[name])

    def query(self, name: str, default: str = "") -> str:
        return self.request.query_params.get(name, default)


Handler = Callable[[ApiCall], Any]


def route(
    method: str,
    path: str,
    handler: Handler,
    *,
    admin: bool = False,
    bots: bool = False,
    since: tuple[int, int] = (3, 0),
    version: str = "v1",
) -> Route:
    """A route below an account; `admin`: for administrators alone, `bots`: a bot's token will do as well.

    Releases before `since` do not have it.
    """

    async def endpoint(request: Request) -> Response:
        double: Double = request.app.state.double
        if not double.state.release.since(*since):
            raise HTTPException(404)
        account_id = int(request.path_params["account"])
        # Before anything is judged: Chatwoot's throttle counts refused calls, and so do those who count what we ask.
        double.calls[account_id] += 1
        who = _caller(double.state, request, bots=bots)
        call = ApiCall(double, request, await body_of(request), double.state.account(account_id), who)
        _admit(call, admin=admin)
        return await answer(double, handler(call))

    return Route(_ACCOUNT.format(version=version) + path, endpoint, methods=[method])


def conversation_of(call: ApiCall) -> Conversation:
    """The conversation that the path names."""
    return call.account.conversations.get(call.number("conversation")) or not_found()


async def body_of(request: Request) -> JsonObject:
    """No body is an empty one; one that is not an object in JSON is Rails' bad request."""
    raw = await request.body()
    try:
        body = orjson.loads(raw) if raw else {}
    # Rails answers 400 before any controller runs.
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise ErrorResponse(400, {"status": 400, "error": "Bad Request"})
    return body


async def answer(double: Double, given: Any) -> Response:
    """JSON of what a handler answers, nothing for None; its webhooks go on their way."""
    await double.deliveries.notify()
    if isinstance(given, Response):
        return given
    return Response(b"" if given is None else orjson.dumps(given), media_type="application/json")


def _caller(state: DoubleState, request: Request, *, bots: bool) -> User | Bot:
    token = request.headers.get("api_access_token", "")
    who = state.tokens.get(token)
    if who is None and token != state.platform_token:
        unauthorized("Invalid Access Token")
    if not isinstance(who, User) and not (bots and who):
        unauthorized("Access to this endpoint is not authorized for bots")
    return who


def _admit(call: ApiCall, *, admin: bool) -> None:
    account, who = call.account, call.who
    member = account.members.get(who.id) if isinstance(who, User) else {"role": "agent"}
    if member is None or (isinstance(who, Bot) and who.account_id != account.id):
        unauthorized("You are not authorized to access this account")
    if account.settings["status"] == "suspended":
        unauthorized("Account is suspended")
    if admin and member["role"] != "administrator":
        unauthorized("You are not authorized to do this action")
