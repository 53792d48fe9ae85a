"""HTTP of a process: bare doors first, then a Starlette application with /live, /ready and /metrics."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any

import structlog
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.server import ServerState

from services.kernel.errors import Stop
from services.kernel.settings import Settings
from services.kernel.telemetry.following import Follower
from services.kernel.telemetry.metrics import Metrics
from services.kernel.web.connection import HttpConnection
from services.kernel.web.crowd import ConnectionLimits, Crowd
from services.kernel.web.exchange import BESIDE, Whole

# No answer is a page: whatever a browser makes of one, it runs nothing, frames nothing, keeps nothing.
SECURITY: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
_GRACEFUL_SECONDS = 5  # for open requests: their doors answer within answer_seconds, 4 by default
_BACKLOG = 2048
# libuv takes one connection of a listening socket in a turn of its loop, so that 1,800 silent ones held up the next one
# for 16 s where a turn takes 2 ms. The same queue is listened to so many times.
_ACCEPTED_A_TURN = 8
_ROUTES = "routes"
Check = Callable[[], str | None]  # a sentence for people, or None
Endpoint = Callable[[Request], Awaitable[Response]] | ASGIApp
log = structlog.get_logger()


class Site:
    """The ASGI application of a process."""

    def __init__(self, registry: CollectorRegistry, metrics: Metrics, following: Follower | None = None) -> None:
        self._following = following or Follower()
        self.ready = asyncio.Event()
        self._doors: list[tuple[str, Any]] = []
        self._whole: list[tuple[str, Whole]] = []
        self._live_checks: list[Check] = []
        self._ready_checks: list[Check] = []
        self._remarks: list[Check] = []
        self._registry = registry
        self._broken = metrics.http_broken.labels
        self._starlette = Starlette(
            exception_handlers={ClientDisconnect: _body_never_came, Exception: self._broke_in_a_route}
        )
        self.route("/live", self._live)
        self.route("/ready", self._ready)
        self.route("/metrics", self._metrics)

    def route(self, path: str, endpoint: Endpoint, methods: Sequence[str] = ("GET",)) -> None:
        self._starlette.router.routes.append(Route(path, endpoint, methods=list(methods)))

    def door(self, prefix: str, app: Any) -> None:
        """Hand every request whose path begins with `prefix` to a bare ASGI application, before any routing.

        One that is there as a whole its method `whole` is offered first, if it has one (exchange.py).
        """
        app = self._following.door(prefix, app)
        self._doors.append((prefix, app))
        # What follows a record wraps the door, and a wrapped one is offered nothing whole.
        if whole := getattr(app, "whole", None):
            self._whole.append((prefix, whole))

    def whole(self, path: str) -> Whole | None:
        """Who takes requests of this path as a whole."""
        for prefix, whole in self._whole:
            if path.startswith(prefix):
                return whole
        return None

    def live_unless(self, check: Check) -> None:
        """/live says 503 as long as `check` answers what is wrong."""
        self._live_checks.append(check)

    def ready_unless(self, check: Check) -> None:
        """/ready says 503 as long as `check` answers what is wrong."""
        self._ready_checks.append(check)

    def remark(self, check: Check) -> None:
        """/ready says what `check` answers, and stays 200: no other process would do better."""
        self._remarks.append(check)

    def unready(self) -> list[str]:
        """What /ready is 503 for, once the process has started."""
        return _answers(self._ready_checks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        # A few comparisons instead of Starlette's routing, Request and Response: most requests are a door's.
        for prefix, door in self._doors:
            if path.startswith(prefix):
                try:
                    await door(scope, receive, send)
                except Exception as error:
                    answer = self._broke(prefix, error)
                    answer.raw_headers += scope.get(BESIDE, ())
                    await answer(scope, receive, _secured(send))
                return
        # Starlette answers by _broke_in_a_route, and raises again for servers that keep a log of their own.
        with contextlib.suppress(Exception):
            await self._starlette(scope, receive, _secured(send))

    async def _broke_in_a_route(self, _request: Request, error: Exception) -> Response:
        return self._broke(_ROUTES, error)

    def _broke(self, where: str, error: Exception) -> Response:
        """What nobody foresaw: the sender gets an id and no more, and with it we find the rest in the log."""
        number = secrets.token_hex(8)
        self._broken(where).inc()
        log.error("http_answer_broke", id=number, where=where, exc_info=error)
        return JSONResponse({"error": "something broke here", "id": number}, status_code=500)

    async def _live(self, _request: Request) -> Response:
        return _health(_answers(self._live_checks))

    async def _ready(self, _request: Request) -> Response:
        starting = [] if self.ready.is_set() else ["starting or stopping"]
        return _health(starting + self.unready(), _answers(self._remarks))

    async def _metrics(self, _request: Request) -> Response:
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)


async def _body_never_came(_request: Request, _error: Exception) -> Response:
    """Its sender is gone, or slow past the bound, and hears it: nothing broke here."""
    return JSONResponse({"error": "the body did not come"}, status_code=408)


def _secured(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = message["headers"]
            message["headers"] = [*given, *(one for one in SECURITY if one not in given)]
        await send(message)

    return with_headers


def _answers(checks: Iterable[Check]) -> list[str]:
    return [answer for check in checks if (answer := check())]


def _health(faults: list[str], remarks: Sequence[str] = ()) -> Response:
    return PlainTextResponse("\n".join([*(faults or ["ok"]), *remarks]), status_code=503 if faults else 200)


class HttpServer:
    """uvicorn inside our own loop: signals and life cycle are the process's."""

    def __init__(self, site: Site, settings: Settings, metrics: Metrics) -> None:
        self._site = site
        self._limits = ConnectionLimits.of(settings)
        self._metrics = metrics
        config = uvicorn.Config(
            site,
            http=self._connection,  # type: ignore[arg-type]  # whatever makes a protocol
            lifespan="off",
            log_config=None,
            log_level="error",  # what strangers send must not fill the logs
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACEFUL_SECONDS,
            ws="none",
        )
        self._server = _Quiet(config)
        self._address = (settings.http_host, settings.http_port)
        self._where = f"{settings.http_host}:{settings.http_port}"
        self._crowd: Crowd | None = None
        self._task: asyncio.Task[None] | None = None
        self.address = ""

    async def start(self) -> None:
        """Listen. Raises Stop when the port is taken."""
        self._crowd = Crowd(self._limits, self._metrics, asyncio.get_running_loop())
        try:
            listening = await _listening(*self._address)
        except OSError as cause:
            raise Stop(
                f"cannot listen on {self._where}: free the port, or choose another with WOOTSTREAM_HTTP_PORT; the "
                "address must be this machine's, see WOOTSTREAM_HTTP_HOST"
            ) from cause
        self._task = asyncio.create_task(self._server.serve(sockets=listening), name="http")
        while not self._server.started:
            if self._task.done():
                await self._task
            await asyncio.sleep(0.01)  # uvicorn tells nobody that it listens
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        self.address = f"http://{host}:{port}"

    def _connection(self, *, server_state: ServerState, **_more: Any) -> HttpConnection:
        """What uvicorn calls for each."""
        assert self._crowd
        return HttpConnection(self._crowd, self._site, server_state, self._site.whole)

    async def stop(self) -> None:
        """Accept nobody new, let open requests finish."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


async def _listening(host: str, port: int) -> list[socket.socket]:
    """A socket for each address of the host, several times over. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    with contextlib.ExitStack() as failed:
        bound = [
            failed.enter_context(socket.create_server(address, family=family, backlog=_BACKLOG))
            for family, address in dict.fromkeys((family, address) for family, *_, address in found)
        ]
        every = [*bound, *(failed.enter_context(one.dup()) for one in bound for _ in range(_ACCEPTED_A_TURN - 1))]
        failed.pop_all()
    return every


class _Quiet(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
