"""The only client of Chatwoot's API: paced for each server, 4xx is an answer, everything else is Retryable; and a
store's account there, for whichever service calls.

Chatwoot counts calls by address, 3,000 a minute in windows that begin with the clock's minute, and says 429 without
Retry-After: so a 429 closes the server until the next minute, which then begins at half the pace.

A server is a tenant's: it may be anything. So its answers are bounded in bytes, as they come and unpacked, and in time;
nothing it says leads elsewhere or is kept for the next call.
"""

import asyncio
import secrets
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
from prometheus_client import CollectorRegistry, Counter

from schemas.values.depth import too_many
from services.kernel.chatwoot.bounded_network import heard
from services.kernel.chatwoot.connection_pools import ConnectionPools
from services.kernel.clock import Clock, Schedule
from services.kernel.errors import Retryable
from services.kernel.secrets import Secrets
from services.kernel.settings import Settings
from services.kernel.telemetry.following import Follower
from services.kernel.web.targets import NotCalled

_CONNECT_SECONDS = 5.0
_FIRST_BYTE_SECONDS = 10.0  # from the call to the end of the answer's head
_WHOLE_SECONDS = 15.0
_PLATFORM = "/platform/"
MOST_BYTES = 2 * 1024 * 1024  # of an answer about people; each of the calls in flight may hold so many
# Parts of a body that are smaller on the average, beyond the first thousand, only cost time.
_SMALL_PART_BYTES, _SMALL_PARTS = 256, 1000
_GZIP = 16 + zlib.MAX_WBITS
# Lists shrink to a tenth with gzip, and zlib unpacks no more than it is asked for. Other codings cannot be bounded so.
_ASKED = {"accept": "application/json", "accept-encoding": "gzip"}
MINUTE_SECONDS = 60.0
# Who is late by less keeps their turn: pauses between two pieces of work cost nothing of the minute.
_LATE_SECONDS = 0.5
_FAILURES = 5  # in a row, then the account's breaker opens
# Below the minute of Chatwoot's own limits: an account that is well again is not left alone for long.
_RESTS = Schedule((5.0, 10.0, 20.0, 40.0))


@dataclass(slots=True)
class Pace:
    """When one server may be called next; seconds of the monotonic clock."""

    gap: float
    next_at: float = 0.0
    closed_until: float = 0.0

    def take_turn(self, now: float) -> float:
        """Reserve the next turn and say how long to wait for it."""
        slow = 2 if self.closed_until and now < self.closed_until + MINUTE_SECONDS else 1
        due_at = self.next_at if now - self.next_at < _LATE_SECONDS else now
        at = max(due_at, self.closed_until)
        self.next_at = at + self.gap * slow
        return at - now


@dataclass(slots=True)
class Breaker:
    """One account's health: after failures in a row nobody calls for a while, then a single trial decides."""

    failures: int = 0
    open_until: float = 0.0

    def admit(self, now: float) -> None:
        if now < self.open_until:
            raise Retryable("Chatwoot failed several times in a row; it is left alone for a while")
        if self.failures >= _FAILURES:
            self._rest(now)  # this call is the trial: others wait for what it finds

    def failed(self, now: float) -> None:
        self.failures += 1
        if self.failures >= _FAILURES:
            self._rest(now)

    def succeeded(self) -> None:
        self.failures, self.open_until = 0, 0.0

    def _rest(self, now: float) -> None:
        self.open_until = now + _RESTS.after(self.failures - _FAILURES)


@dataclass(frozen=True, slots=True)
class ChatwootAnswer:
    """What a server answered; of 2xx, its content is JSON or empty."""

    status_code: int
    content: bytes
    is_json: bool
    date: str = ""  # the server's clock as it writes it

    @property
    def is_success(self) -> bool:
        return 200 <= self.status_code < 300


class Chatwoot:
    """Calls with a user's token."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        registry: CollectorRegistry,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        following: Follower | None = None,
    ) -> None:
        self._following = following or Follower()
        self._clock = clock
        self._gap_seconds = 1 / settings.chatwoot_calls_per_second
        self._paces: dict[str, Pace] = {}
        self._breakers: dict[str, Breaker] = {}
        timeout = httpx.Timeout(_WHOLE_SECONDS, connect=_CONNECT_SECONDS)
        self._pools = ConnectionPools(timeout, private=settings.chatwoot_private_addresses, transport=transport)
        # Calls by answer. 429 growing: the pace is too high for this server, or somebody shares our address.
        self._calls = Counter("wootstream_chatwoot_calls", "Calls to Chatwoot", ("method", "status"), registry=registry)

    async def call(
        self,
        base_url: str,
        method: str,
        path: str,
        *,
        token: str,
        body: Any = None,
        query: Any = None,
        most_bytes: int = MOST_BYTES,
        check: Callable[[], None] = lambda: None,
    ) -> ChatwootAnswer:
        """Answer of 2xx and 4xx. Raises Retryable on everything else, and when Chatwoot cannot be reached.

        `check` is called when it is this call's turn, and raises where it must not be made any more.
        """
        account = "/".join(path.split("/")[:5])  # /api/v1/accounts/3
        breaker = self._breakers.setdefault(base_url + account, Breaker())
        breaker.admit(self._clock.monotonic())
        await self._turn(self._pace(base_url))
        check()
        headers = {**_ASKED, "api_access_token": token}
        try:
            client = self._pools.of(base_url)
            request = client.build_request(method, base_url + path, json=body, params=query, headers=headers)
            with self._following.call(method, request.url.host):
                answer = await self._ask(client, request, most_bytes)
        except Retryable:
            breaker.failed(self._clock.monotonic())
            raise
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            self._pace(base_url).closed_until = self._next_minute()
            raise Retryable("Chatwoot takes no more calls this minute")
        breaker.succeeded()
        return answer

    async def _ask(self, client: httpx.AsyncClient, request: httpx.Request, most_bytes: int) -> ChatwootAnswer:
        try:
            async with asyncio.timeout(_WHOLE_SECONDS):  # httpx bounds each read, not an answer that drips
                async with asyncio.timeout(_FIRST_BYTE_SECONDS):
                    response = await client.send(request, stream=True)
                try:
                    content = await _content(response, most_bytes)
                finally:
                    await response.aclose()
        except NotCalled as refused:
            self._calls.labels(request.method, NotCalled.__name__).inc()
            raise Retryable(f"Chatwoot is not called: {refused}") from refused
        except (httpx.HTTPError, TimeoutError, zlib.error) as error:
            self._calls.labels(request.method, type(error).__name__).inc()
            raise Retryable(f"Chatwoot does not answer: {type(error).__name__}") from error
        self._calls.labels(request.method, str(response.status_code)).inc()
        return _judged(response, content)

    def _pace(self, base_url: str) -> Pace:
        return self._paces.setdefault(base_url, Pace(self._gap_seconds))

    async def _turn(self, pace: Pace) -> None:
        while (wait := pace.take_turn(self._clock.monotonic())) > 0:
            await self._clock.sleep(wait)
            if self._clock.monotonic() >= pace.closed_until:  # else somebody met a 429 while we waited
                return

    def _next_minute(self) -> float:
        # Up to a second later: all processes of ours were told the same, and wait for the same minute.
        left = MINUTE_SECONDS - self._clock.now().timestamp() % MINUTE_SECONDS
        return self._clock.monotonic() + left + secrets.randbelow(1000) / 1000

    async def close(self) -> None:
        await self._pools.close()


async def _content(response: httpx.Response, most: int) -> bytes:
    """The body unpacked, of which there are never more than `most` bytes in memory, and one chunk from the network."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip"):
        raise Retryable(f"Chatwoot answers in a coding that was not asked for: {coding[:20]!r}")
    unpacker = None if coding == "identity" else zlib.decompressobj(_GZIP)
    content = bytearray()
    parts = 0
    heard(response)
    async for chunk in response.aiter_raw():
        heard(response)
        parts += 1
        if parts > _SMALL_PARTS + response.num_bytes_downloaded // _SMALL_PART_BYTES:
            raise Retryable("Chatwoot's answer comes in too many parts")
        if unpacker is None:
            content += chunk
        elif not unpacker.eof:  # it would keep what comes after its end
            content += unpacker.decompress(chunk, most + 1 - len(content))
        if max(len(content), response.num_bytes_downloaded) > most:
            raise Retryable(f"Chatwoot's answer is larger than {most:,} bytes")
    if unpacker and content and not unpacker.eof:
        raise zlib.error("cut short")
    if too_many(content):
        raise Retryable("Chatwoot's answer has more values in it than any of Chatwoot's own")
    return bytes(content)


def _judged(response: httpx.Response, content: bytes) -> ChatwootAnswer:
    """An answer of Chatwoot's own; what a proxy says of it, or instead of it, is nobody's answer."""
    is_json = response.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    if response.is_server_error:
        raise Retryable(f"Chatwoot answers {response.status_code}")
    if not (response.is_success or response.is_client_error):
        raise Retryable(f"Chatwoot answers {response.status_code}, which leads elsewhere: mend the store's --base-url")
    # Chatwoot says in JSON what it does not have. A page that says so is a proxy's, which routes elsewhere just now:
    # taken at its word, a person or a conversation would be forgotten. Its Platform API alone answers with a page of
    # Chatwoot's own: for a row that is not there, and before 4.10 for the list of accounts.
    is_page = response.status_code == httpx.codes.NOT_FOUND and content and not is_json
    if is_page and not response.request.url.path.startswith(_PLATFORM):
        raise Retryable("Chatwoot's address answers 404 with a page: a proxy's, or mend the store's --base-url")
    if response.is_success and content and not is_json:
        raise Retryable("Chatwoot answers something that is no JSON: a proxy in between?")
    return ChatwootAnswer(response.status_code, content, is_json, response.headers.get("date", ""))


class Unanswered(Exception):
    """Chatwoot does not tell, and asking again does not help: one sentence for people."""


class Gone(Unanswered):
    """There is no such thing, or no longer: deleted, or merged into another."""


@dataclass(frozen=True, slots=True)
class ChatwootAccount:
    """A store's account with its token unsealed: made for a piece of work, and not kept beyond it."""

    chatwoot: Chatwoot
    store: UUID
    base_url: str
    account_id: int
    token: str = field(repr=False)
    check: Callable[[], None] = lambda: None  # before each call: raises where it must not be made any more

    def path(self, rest: str, *, version: str = "v1") -> str:
        """Where Chatwoot has this account's things."""
        return f"/api/{version}/accounts/{self.account_id}/{rest}"

    async def call(
        self, method: str, path: str, *, body: Any = None, query: Any = None, most_bytes: int = MOST_BYTES
    ) -> ChatwootAnswer:
        """Its answer, whatever the status below 500. Raises Retryable when Chatwoot is away or busy."""
        return await self.chatwoot.call(
            self.base_url,
            method,
            path,
            token=self.token,
            body=body,
            query=query,
            most_bytes=most_bytes,
            check=self.check,
        )


def unsealed_token(secrets: Secrets, sealed: str, *, store: UUID) -> str:
    """The account's API token. Raises Sealed where another installation key sealed it."""
    return secrets.open(sealed, organization=store, column="api_access_token")
