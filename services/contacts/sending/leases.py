"""Which Chatwoots this process sends to: a lease in PostgreSQL for each, so that no two processes call one at once.

Whoever dies, however it dies, has lost it after LEASE_SECONDS. Ours begins before PostgreSQL's, so it ends before. Who
was frozen meanwhile finds out before the next call, and before it writes down what became of the last.
"""

import asyncio
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from db.people import senders as table
from db.pool import scoped
from services.kernel import Process

LEASE_SECONDS = 10.0
_AGAIN_SECONDS = 3.0  # after so many it is asked for again: twice may fail
_WATCH_SECONDS = 0.25


class LeaseLost(Exception):
    """Another process may send to this Chatwoot now: whoever is due stays due, for it."""


class SenderLeases:
    """The leases of one process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._holder = uuid.uuid4()
        self._until: dict[str, float] = {}

    def is_held(self, base_url: str) -> bool:
        return self._process.clock.monotonic() < self._until.get(base_url, 0.0)

    async def hold(self, base_urls: Collection[str]) -> set[str]:
        """Ask for those of them that are not ours for a good while yet; which ones are."""
        now = self._process.clock.monotonic()
        fresh = now + LEASE_SECONDS - _AGAIN_SECONDS
        if asked := [one for one in base_urls if self._until.get(one, 0.0) < fresh]:
            async with scoped(self._process.pool(), ()) as conn:
                ours = await table.take(conn, self._holder, asked, timedelta(seconds=LEASE_SECONDS))
            for one in asked:
                self._until[one] = now + LEASE_SECONDS if one in ours else 0.0
        self._until = {one: until for one, until in self._until.items() if until > now}
        return {one for one in base_urls if self.is_held(one)}

    async def watch(self, work: Mapping[str, asyncio.Task[None]]) -> None:
        """End the work at each Chatwoot whose lease has run out, also while PostgreSQL does not answer."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            for base_url, task in work.items():
                if not self.is_held(base_url):
                    task.cancel()

    async def release(self) -> None:
        """At the end of the process: others need not wait until they run out."""
        if self._until:
            self._until.clear()
            async with scoped(self._process.pool(), ()) as conn:
                await table.release(conn, self._holder)


@dataclass(frozen=True, slots=True)
class Lease:
    """That of one Chatwoot."""

    leases: SenderLeases
    base_url: str

    def check(self) -> None:
        """Raises LeaseLost."""
        if not self.leases.is_held(self.base_url):
            raise LeaseLost
