"""Webhooks on their way: signed, posted once, never repeated, in no promised order.

The body is built when its turn comes, not when the change happened, as Chatwoot's jobs do; so `conversation_created`
may already hold the greeting. `duplicates` and `reorder` bring out on purpose what a busy Sidekiq does by chance.
"""

import asyncio
import contextlib
import json
import logging
import random
import uuid
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

import httpx

from local.chatwoot.model.rows import JsonObject
from local.chatwoot.model.state import Vanished
from local.replay.webhook_sender import sign

TIMEOUT_SECONDS = 5.0  # Chatwoot's own (lib/webhooks/trigger.rb); nothing is tried again after it
_WORKERS = 10  # Sidekiq's default
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_RAILS_ESCAPES = str.maketrans(_ESCAPES)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """`signs` is false where the release sends none of the three headers."""

    url: str
    secret: str | None
    signs: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """A finished delivery; `outcome` is the status answered, or the name of the failure."""

    url: str
    event: str
    headers: dict[str, str]
    body: bytes
    outcome: int | str


def encode(body: JsonObject) -> bytes:
    """JSON as Rails writes it: `<`, `>`, `&`, U+2028 and U+2029 are escaped."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).translate(_RAILS_ESCAPES).encode()


class Deliveries:
    """The queue and its ten workers. `sent` remembers the last thousand, `outcomes` counts all.

    What a body is about may be deleted before its turn comes: then nobody hears of it.
    """

    def __init__(self, now: Callable[[], datetime], *, seed: int) -> None:
        self.duplicates = 0.0  # share of deliveries that go out twice, the second under another id
        self.reorder = False  # take any waiting delivery instead of the oldest
        self.clock_skew_seconds = 0  # for stale or future timestamps
        self.sent: deque[Sent] = deque(maxlen=1000)
        self.outcomes: Counter[int | str] = Counter()
        self._now = now
        self._chance = random.Random(seed)
        self._waiting: deque[tuple[Target, Callable[[], JsonObject]]] = deque()
        self._wake = asyncio.Condition()
        self._busy = 0

    def add(self, target: Target, build: Callable[[], JsonObject]) -> None:
        """Queue a delivery; `build` makes the body when its turn comes."""
        self._waiting.extend([(target, build)] * (2 if self._chance.random() < self.duplicates else 1))

    async def notify(self) -> None:
        """Wake the workers if there is work, once per request rather than once per delivery."""
        if self._waiting:
            async with self._wake:
                self._wake.notify_all()

    async def settled(self) -> None:
        """Return when nothing waits and nothing is on its way."""
        async with self._wake:
            self._wake.notify_all()
            await self._wake.wait_for(lambda: not self._waiting and not self._busy)

    @contextlib.asynccontextmanager
    async def running(self, transport: httpx.AsyncBaseTransport | None = None) -> AsyncIterator[None]:
        """Deliver while the block runs; what still waits at its end is lost, as in a Sidekiq that is killed."""
        client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False, transport=transport)
        async with client, asyncio.TaskGroup() as group:
            workers = [group.create_task(self._work(client)) for _ in range(_WORKERS)]
            try:
                yield
            finally:
                for worker in workers:
                    worker.cancel()

    async def _work(self, client: httpx.AsyncClient) -> None:
        while True:
            async with self._wake:
                await self._wake.wait_for(lambda: bool(self._waiting))
                target, build = self._take()
                self._busy += 1
            try:
                await self._post(client, target, build())
            # The row is gone before its turn came: Chatwoot's job ends without a webhook.
            except Vanished:
                self.outcomes["vanished"] += 1
            finally:
                async with self._wake:
                    self._busy -= 1
                    self._wake.notify_all()

    def _take(self) -> tuple[Target, Callable[[], JsonObject]]:
        if self.reorder:
            self._waiting.rotate(-self._chance.randrange(len(self._waiting)))
        return self._waiting.popleft()

    async def _post(self, client: httpx.AsyncClient, target: Target, body: JsonObject) -> None:
        raw = encode(body)
        headers = self._headers(target, raw)
        try:
            outcome: int | str = (await client.post(target.url, content=raw, headers=headers)).status_code
        # As in Chatwoot: logged, and the delivery is over.
        except httpx.HTTPError as error:
            outcome = type(error).__name__
        if outcome not in range(200, 300):
            _log.warning("Invalid webhook URL %s : %s", target.url, outcome)
        self.outcomes[outcome] += 1
        self.sent.append(Sent(target.url, str(body["event"]), headers, raw, outcome))

    def _headers(self, target: Target, raw: bytes) -> dict[str, str]:
        headers = {"accept": "application/json", "content-type": "application/json"}
        if not target.signs:
            return headers
        # A delivery's own: the copy that `duplicates` brings has another.
        headers["x-chatwoot-delivery"] = str(uuid.uuid4())
        if target.secret is not None:
            timestamp = str(int(self._now().timestamp()) + self.clock_skew_seconds)
            headers["x-chatwoot-timestamp"] = timestamp
            headers["x-chatwoot-signature"] = sign(target.secret, timestamp, raw)
        return headers
