"""Who may ask for what is not for the world: the bearer of WOOTSTREAM_API_TOKEN, and people with tokens of their own.

A wrong token waits before it is answered, the longer the more its sender was wrong, and few wait at once: so guessing
costs time and no memory. The right one never waits; a person's waits for those of their requests that came before.
"""

import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from prometheus_client import CollectorRegistry, Counter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from db.pool import Pool
from services.kernel.actor import Actor, acting_as, note
from services.kernel.clock import Clock
from services.kernel.errors import Refusal, Stop, Verdict, describe, given_value, verdict
from services.kernel.person_tokens import TokenScope, authenticate
from services.kernel.settings import Settings
from services.kernel.web.addresses import client_of, sender
from services.kernel.web.peoples_turns import AsksStores, NoTurn, PeoplesTurns

_FIRST_SECONDS, _MOST_SECONDS = 0.1, 2.0
_MOST_WAITING = 50
_REMEMBERED = 1_024
_FORGOTTEN_SECONDS = 900.0
_OPERATOR = "operator"
_LONGEST = 200
AsksEndpoint = Callable[[Request], Awaitable[Response]]
log = structlog.get_logger()


class Callers:
    """One for a process."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        registry: CollectorRegistry,
        pool: Callable[[], Pool],
        stores_of: AsksStores,
    ) -> None:
        """`stores_of` says in which stores somebody has a role."""
        self._token = settings.api_token
        self._hops = settings.proxy_hops
        self._clock = clock
        self._pool = pool
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._waiting = 0
        self._turns = PeoplesTurns(clock, stores_of)
        # Somebody guesses, or has an old token: the log says whence.
        self._failed = Counter("wootstream_logins_failed", "Requests with a wrong token", registry=registry)
        # Requests by who asks: the operator, or the id of a person's token (`people list` says whose). Many times what
        # is usual: a program in a loop, or somebody who collects; `people revoke`.
        self._asked = Counter("wootstream_api_requests", "Requests by token", ("caller",), registry=registry)

    def guarded(self, endpoint: AsksEndpoint, *, people: TokenScope | None = None) -> AsksEndpoint:
        """The endpoint for the operator, and for people whose token has the scope `people`, acting as themselves.

        What it refuses is one sentence.
        """

        async def answer(request: Request) -> Response:
            whence = client_of(request.scope, self._hops).address
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer":
                return await self._turned_away(whence)
            if self._is_operator(token):
                self._asked.labels(_OPERATOR).inc()
                with acting_as(Actor(_OPERATOR, whence)):
                    return await endpoint(request)
            person = await authenticate(self._pool(), token)
            if person is None:
                return await self._turned_away(whence)
            self._asked.labels(str(person.token)).inc()
            if people not in person.scopes:
                return refusal(403, f"this token may not ask that: {_whose(people)}")
            async with self._turns.turn(person.id):
                with acting_as(Actor(str(person.id), whence, person.id)):
                    await self._note(request)
                    return await endpoint(request)

        return partial(_answered, answer)

    async def _note(self, request: Request) -> None:
        """What a person asks is written down before it is answered; the operator's own reading is not."""
        path = getattr(request.scope.get("route"), "path", "")
        async with self._pool().acquire(timeout=10) as conn, conn.transaction():
            await note(conn, f"{request.method} {path}", store=None, thing=request.scope["path"][:_LONGEST])

    def _is_operator(self, given: str) -> bool:
        token = self._token.get_secret_value() if self._token else ""
        # In constant time: how long a refusal takes must not spell the token.
        right = secrets.compare_digest(given.encode(), token.encode())
        return bool(token) and right

    async def _turned_away(self, whence: str) -> Response:
        self._failed.inc()
        failures = self._count(sender(whence))
        if self._waiting >= _MOST_WAITING:
            return refusal(429, "too many wrong tokens at once", {"retry-after": "5"})
        log.warning("login_failed", address=whence, failures=failures)
        self._waiting += 1
        try:
            await self._clock.sleep(min(_MOST_SECONDS, _FIRST_SECONDS * 2 ** min(failures - 1, 10)))
        finally:
            self._waiting -= 1
        return refusal(401, "say who you are: Authorization: Bearer, with WOOTSTREAM_API_TOKEN")

    def _count(self, whose: str) -> int:
        now = self._clock.monotonic()
        before, last = self._failures.pop(whose, (0, now))
        count = before + 1 if now - last < _FORGOTTEN_SECONDS else 1
        self._failures[whose] = (count, now)
        if len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)
        return count


def _whose(people: TokenScope | None) -> str:
    return f"it needs the scope {people} (`wootstream people token add`)" if people else "it is the operator's alone"


async def _answered(endpoint: AsksEndpoint, request: Request) -> Response:
    try:
        return await endpoint(request)
    except Refusal as reason:
        return refusal(400, str(reason))
    except NoTurn as reason:
        return refusal(reason.status, str(reason), {"retry-after": reason.retry_after})
    except Exception as error:
        if sentence := given_value(error):
            return refusal(400, sentence)
        if isinstance(error, Stop) or verdict(error) is Verdict.AGAIN:
            return refusal(503, f"a server does not answer as it should: {describe(error)}")
        raise


def refusal(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": sentence}, status_code=status, headers=headers)
