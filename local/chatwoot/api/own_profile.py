"""The caller's own profile: how a token is tried, and how it is changed; and the release."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.chatwoot.api.routing import answer
from local.chatwoot.double import Double
from local.chatwoot.errors import unauthorized
from local.chatwoot.model.rows import User
from local.chatwoot.views.users import profile


async def version(request: Request) -> Response:
    """Which release this is; wants no token."""
    double: Double = request.app.state.double
    return await answer(double, {"version": double.state.release.text, "queue_services": "ok", "data_services": "ok"})


async def show(request: Request) -> Response:
    double, row = _caller(request)
    return await answer(double, profile(double.state, row))


async def reset_access_token(request: Request) -> Response:
    """The old token is refused at once."""
    double, row = _caller(request)
    del double.state.tokens[row.token]
    row.token = double.state.token()
    double.state.tokens[row.token] = row
    return await answer(double, profile(double.state, row))


def _caller(request: Request) -> tuple[Double, User]:
    double: Double = request.app.state.double
    row = double.state.tokens.get(request.headers.get("api_access_token", ""))
    if not isinstance(row, User):
        unauthorized("Invalid Access Token")
    return double, row


ROUTES = [
    Route("/api", version, methods=["GET"]),
    Route("/api/v1/profile", show, methods=["GET"]),
    Route("/api/v1/profile/reset_access_token", reset_access_token, methods=["POST"]),
]
