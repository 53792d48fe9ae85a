"""The only client of Chatwoot's API: paced for each server, 4xx is an answer, everything else is Retryable.

Chatwoot counts calls by address, 3,000 a minute in windows that begin with the clock's minute, and says 429 without
Retry-After: so a 429 closes the server until the next minute, which then begins at half the pace.
"""

import asyncio
import secrets
from typing import Any

import httpx
from prometheus_client import CollectorRegistry, Counter

from services.kernel.clock import Clock
from services.kernel.errors import Retryable
from services.kernel.pace import MINUTE_SECONDS, Breaker, Pace
from services.kernel.settings import Settings

_TIMEOUT_SECONDS = 15.0


class Chatwoot:
    """Calls with a user's token."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        registry: CollectorRegistry,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._clock = clock
        self._gap_seconds = 1 / settings.chatwoot_calls_per_second
        self._paces: dict[str, Pace] = {}
        self._breakers: dict[str, Breaker] = {}
        self._client = httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, follow_redirects=False, transport=transport)
        # Calls by answer. 429 growing: the pace is too high for this server, or somebody shares our address.
        self._calls = Counter("wootstream_chatwoot_calls", "Calls to Chatwoot", ("method", "status"), registry=registry)

    async def call(
        self, base_url: str, method: str, path: str, *, token: str, body: Any = None, query: Any = None
    ) -> httpx.Response:
        """Answer of 2xx to 4xx. Raises Retryable on 429, 5xx, time-outs and when Chatwoot cannot be reached."""
        account = "/".join(path.split("/")[:5])  # /api/v1/accounts/3
        breaker = self._breakers.setdefault(base_url + account, Breaker())
        breaker.admit(self._clock.monotonic())
        await self._turn(self._pace(base_url))
        try:
            answer = await self._ask(base_url, method, path, token=token, body=body, query=query)
        except Retryable:
            breaker.failed(self._clock.monotonic())
            raise
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            self._pace(base_url).closed_until = self._next_minute()
            raise Retryable("Chatwoot takes no more calls this minute")
        breaker.succeeded()
        return answer

    async def _ask(self, base_url: str, method: str, path: str, *, token: str, body: Any, query: Any) -> httpx.Response:
        try:
            async with asyncio.timeout(2 * _TIMEOUT_SECONDS):  # httpx bounds each read, not a body that drips
                answer = await self._client.request(
                    method, base_url + path, json=body, params=query, headers={"api_access_token": token}
                )
        except (httpx.HTTPError, TimeoutError) as error:
            self._calls.labels(method, type(error).__name__).inc()
            raise Retryable(f"Chatwoot does not answer: {type(error).__name__}") from error
        self._calls.labels(method, str(answer.status_code)).inc()
        if answer.is_server_error:
            raise Retryable(f"Chatwoot answers {answer.status_code}")
        return answer

    def _pace(self, base_url: str) -> Pace:
        return self._paces.setdefault(base_url, Pace(self._gap_seconds))

    async def _turn(self, pace: Pace) -> None:
        while (wait := pace.take_turn(self._clock.monotonic())) > 0:
            await self._clock.sleep(wait)
            if self._clock.monotonic() >= pace.closed_until:  # else somebody met a 429 while we waited
                return

    def _next_minute(self) -> float:
        left = MINUTE_SECONDS - self._clock.now().timestamp() % MINUTE_SECONDS
        return self._clock.monotonic() + left + secrets.randbelow(1000) / 1000

    async def close(self) -> None:
        await self._client.aclose()
