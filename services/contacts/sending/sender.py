"""The one sender: rounds through the mailbox, each Chatwoot server at its own speed, its stores in turns."""

import asyncio
from collections.abc import Collection
from uuid import UUID

from db import stores
from db.people import due as mailbox
from db.people import pushes
from db.pool import scoped
from services.contacts.sending.metrics import SenderMetrics
from services.contacts.sending.round import Round
from services.contacts.sending.sender_account import SenderAccount
from services.kernel import Process

_SHIFT_SECONDS = 20.0  # then the lock is asked for again, and stores are looked up again
_POLL_SECONDS = 0.5  # a fraction of the two seconds that a person must be quiet for


class AttributeSender:
    """Runs in one process of the installation at a time; a second one would only send the same again."""

    def __init__(self, process: Process, counts: SenderMetrics) -> None:
        self._process = process
        self._counts = counts
        self._resting: dict[UUID, float] = {}

    async def shift(self) -> bool:
        """Serve every server at once until nothing is due or the shift is over; True if there may be more.

        Servers whose answers take long hold up the end of the shift, and nobody else: the others are served meanwhile.
        """
        end = self._process.clock.monotonic() + _SHIFT_SECONDS
        rounds: dict[str, asyncio.Task[None]] = {}
        last: Collection[asyncio.Task[None]] = ()  # those under way when the shift was over
        async with asyncio.TaskGroup() as group:
            while self._process.clock.monotonic() < end or not all(one.done() for one in (last or rounds.values())):
                if self._process.clock.monotonic() >= end:
                    last = last or list(rounds.values())
                rounds = {base_url: task for base_url, task in rounds.items() if not task.done()}
                waiting = await self._waiting()
                for base_url in waiting.keys() - rounds.keys():
                    one = Round(self._process, self._counts, self._resting, waiting[base_url])
                    rounds[base_url] = group.create_task(one.run())
                if not rounds:
                    return False
                await asyncio.wait(rounds.values(), timeout=_POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        return True

    async def _waiting(self) -> dict[str, list[SenderAccount]]:
        """Stores with people due, by server; those at rest or switched off apart."""
        async with scoped(self._process.pool(), ()) as conn:
            everyone = await stores.ids(conn)
        now = self._process.clock.monotonic()
        async with scoped(self._process.pool(), everyone) as conn:
            due = await mailbox.waiting(conn, everyone)
            accounts = [SenderAccount.of(row) for row in await pushes.accounts(conn)]
        result: dict[str, list[SenderAccount]] = {}
        for one in accounts:
            if one.store in due and one.push != "off" and self._resting.get(one.store, now) <= now:
                result.setdefault(one.base_url, []).append(one)
        return result
