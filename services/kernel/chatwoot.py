"""The only client of Chatwoot's API: paced for each server, 4xx is an answer, everything else is Retryable."""

from typing import Any

import httpx
from prometheus_client import CollectorRegistry, Counter

from services.kernel.clock import Clock
from services.kernel.errors import Retryable
from services.kernel.settings import Settings

_TIMEOUT_SECONDS = 15.0


class Chatwoot:
    """Calls with a user's token; one pace for each base URL, as Chatwoot counts calls by address."""

    def __init__(self, settings: Settings, clock: Clock, registry: CollectorRegistry) -> None:
        self._clock = clock
        self._gap_seconds = 1 / settings.chatwoot_calls_per_second
        self._next_at: dict[str, float] = {}
        self._client = httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, follow_redirects=False)
        # Calls by answer. 429 growing: the pace is too high for this server, or somebody shares our address.
        self._calls = Counter("wootstream_chatwoot_calls", "Calls to Chatwoot", ("method", "status"), registry=registry)

    async def call(
        self, base_url: str, method: str, path: str, *, token: str, body: Any = None, query: Any = None
    ) -> httpx.Response:
        """Answer of 2xx to 4xx. Raises Retryable on 429, 5xx, time-outs and when Chatwoot cannot be reached."""
        await self._pace(base_url)
        try:
            answer = await self._client.request(
                method, base_url + path, json=body, params=query, headers={"api_access_token": token}
            )
        except httpx.HTTPError as error:
            self._calls.labels(method, type(error).__name__).inc()
            raise Retryable(f"Chatwoot does not answer: {type(error).__name__}") from error
        self._calls.labels(method, str(answer.status_code)).inc()
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
            raise Retryable(f"Chatwoot answers {answer.status_code}")
        return answer

    async def _pace(self, base_url: str) -> None:
        now = self._clock.monotonic()
        at = max(now, self._next_at.get(base_url, now))
        self._next_at[base_url] = at + self._gap_seconds
        if at > now:
            await self._clock.sleep(at - now)

    async def close(self) -> None:
        await self._client.aclose()
