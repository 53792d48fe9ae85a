"""The double's door: one ASGI application, in process by `serving`, as a program by `python -m local.chatwoot`."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from local.chatwoot import controls
from local.chatwoot.api import (
    account_settings,
    contact_lists,
    contacts,
    conversation_lists,
    conversations,
    inboxes,
    messages,
    own_profile,
    platform,
    robots,
    widget,
)
from local.chatwoot.api.reporting import ratings, reports, summaries
from local.chatwoot.double import Double
from local.chatwoot.errors import (
    ErrorResponse,
    RecordInvalid,
    answer_invalid,
    answer_refusal,
    no_such_route,
    retry_later,
)

_GRACEFUL_SECONDS = 2  # what is not answered by then is lost, as when a server is restarted
_MODULES = (
    contacts,  # first: what is called most is found first
    contact_lists,
    conversations,
    conversation_lists,
    messages,
    widget,
    inboxes,
    account_settings,
    robots,
    ratings,
    reports,
    summaries,
    own_profile,
    platform,
    controls,
)


async def _nobody_hears(_request: Request, _error: Exception) -> Response:
    """Whoever asked is gone in the middle of the body, as callers with a time limit of their own are under load."""
    return Response(status_code=408)


def app(double: Double) -> ASGIApp:
    """Everything the double answers; 404 in HTML for the rest, as Chatwoot does."""
    inner = Starlette(
        routes=[route for module in _MODULES for route in module.ROUTES],
        exception_handlers={
            ClientDisconnect: _nobody_hears,
            ErrorResponse: answer_refusal,
            RecordInvalid: answer_invalid,
            HTTPException: no_such_route,
        },
    )
    inner.state.double = double

    async def throttled(scope: Scope, receive: Receive, send: Send) -> None:
        # rack-attack stands before Rails: a throttled call reaches nothing and is counted nowhere else.
        door = inner if double.limits.allow(_address(scope), scope["path"]) else retry_later()
        await door(scope, receive, send)

    async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == controls.PATH:
            await inner(scope, receive, send)
        elif kind := double.faults.next(scope["path"]):
            await double.faults.answer(kind, throttled, scope, receive, send)
        else:
            await throttled(scope, receive, send)

    return faulty


@contextlib.asynccontextmanager
async def serving(double: Double, *, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Answer and deliver while the block runs; gives the base URL. Port 0 takes a free one."""
    async with listening(app(double), port=port, host=host) as base_url, double.deliveries.running():
        yield base_url


@contextlib.asynccontextmanager
async def listening(site: ASGIApp, *, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Any ASGI application at this address while the block runs; gives its base URL."""
    listener = socket.create_server((host, port))
    server = _Server(
        uvicorn.Config(
            site,
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
            timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        )
    )
    serve = asyncio.create_task(server.serve([listener]))
    try:
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serve


def _address(scope: Scope) -> str:
    """The client's address; as behind a proxy, what X-Forwarded-For says wins."""
    forwarded = next((value for name, value in scope["headers"] if name == b"x-forwarded-for"), None)
    return forwarded.decode() if forwarded else str(scope["client"][0] if scope["client"] else "127.0.0.1")


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals belong to whoever serves the double
