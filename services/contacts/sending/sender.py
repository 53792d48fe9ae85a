"""The sender: rounds through the mailbox, each Chatwoot server at its own speed, its stores in turns."""

import asyncio
from collections.abc import Collection, Sequence
from uuid import UUID

import structlog

from db import stores
from db.people import due as mailbox
from db.people import pushes
from db.pool import scoped
from services.contacts.sending.contacts_api import SenderAccount, ServedChatwoot
from services.contacts.sending.leases import Lease, SenderLeases
from services.contacts.sending.metrics import SenderMetrics
from services.contacts.sending.round import Round
from services.kernel import Process
from services.kernel.errors import describe, may_be_of_a_store

_SHIFT_SECONDS = 5.0  # then whoever waits for the end of a piece of work sees it
_POLL_SECONDS = 0.5  # a fraction of the two seconds that a person must be quiet for
_REST_SECONDS = 10.0  # of a server's stores whose round failed
_Rounds = dict[str, asyncio.Task[None]]
log = structlog.get_logger()


class AttributeSender:
    """Sends to each Chatwoot whose lease this process has. Other processes may have those of others."""

    def __init__(self, process: Process, counts: SenderMetrics) -> None:
        self._process = process
        self._counts = counts
        self._leases = SenderLeases(process)
        self._resting: dict[UUID, float] = {}
        self._failures: list[Exception] = []  # of this shift's rounds

    async def shift(self) -> bool:
        """Serve every server at once until nothing is due or the shift is over; True if there may be more.

        Servers whose answers take long hold up the end of the shift, and nobody else: the others are served meanwhile.
        """
        rounds: _Rounds = {}
        self._failures = []
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._leases.watch(rounds))
            try:
                more = await self._serve(group, rounds)
            finally:
                watch.cancel()
        if self._failures:
            raise self._failures[0]
        return more

    async def release(self) -> None:
        """Let other processes send, at the end of this one."""
        await self._leases.release()

    async def _serve(self, group: asyncio.TaskGroup, rounds: _Rounds) -> bool:
        end = self._process.clock.monotonic() + _SHIFT_SECONDS
        last: Collection[asyncio.Task[None]] = ()  # those under way when the shift was over
        while self._process.clock.monotonic() < end or not all(one.done() for one in (last or rounds.values())):
            if self._process.clock.monotonic() >= end:
                last = last or list(rounds.values())
            for base_url in [one for one, task in rounds.items() if task.done()]:
                del rounds[base_url]
            waiting = await self._waiting()
            held = await self._leases.hold(waiting.keys() | rounds.keys())
            for base_url in sorted(waiting.keys() & held - rounds.keys()):
                served = ServedChatwoot(self._process, self._counts, Lease(self._leases, base_url))
                rounds[base_url] = group.create_task(self._round(base_url, served, waiting[base_url]))
            if not rounds:
                return False
            await asyncio.wait(rounds.values(), timeout=_POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        return True

    async def _round(self, base_url: str, served: ServedChatwoot, accounts: Sequence[SenderAccount]) -> None:
        """Serve one server. What fails there, and may be of its stores, is raised when the shift is over: the others'
        rounds go on."""
        try:
            await Round(served, self._resting, accounts).run()
        except Exception as error:
            if not may_be_of_a_store(error):
                raise
            log.warning("round_fails", chatwoot=base_url, error=describe(error))
            self._failures.append(error)
            until = self._process.clock.monotonic() + _REST_SECONDS
            self._resting.update(dict.fromkeys((one.store for one in accounts), until))

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
