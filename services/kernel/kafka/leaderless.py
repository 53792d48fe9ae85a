"""How often a producer asks who leads a partition that has no leader. Aiokafka's asks again at once, as fast as Kafka
can answer, for as long as something waits for that partition: half a core of the process, and as much of the broker's.
"""

import asyncio
from typing import Any

PAUSE_SECONDS = 0.1  # the client's own retry_backoff_ms, after which its other questions are asked again


def ask_in_turn(producer: Any) -> None:
    """Let this producer, not started yet, ask so; `partitions_for` and what meets a new topic still ask at once."""
    producer._sender.client = _Unhurried(producer.client)


class _Unhurried:
    """The client as its sender sees it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._next: asyncio.Future[None] | None = None  # everybody's who asks before it is answered
        self._asked_at = -PAUSE_SECONDS

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def force_metadata_update(self) -> "asyncio.Future[None]":
        """Over once Kafka has told anew, which it is not asked sooner than a pause after the last time."""
        loop = asyncio.get_running_loop()
        if self._next is None or self._next.done():
            self._next = loop.create_future()
            if (left := self._asked_at + PAUSE_SECONDS - loop.time()) > 0:
                loop.call_later(left, self._ask, self._next)
            else:
                self._ask(self._next)
        return asyncio.shield(self._next)

    def _ask(self, answered: "asyncio.Future[None]") -> None:
        self._asked_at = asyncio.get_running_loop().time()
        self._client.force_metadata_update().add_done_callback(lambda _: _settle(answered))


def _settle(answered: "asyncio.Future[None]") -> None:
    if not answered.done():
        answered.set_result(None)
