"""The one sender: rounds through the mailbox, each Chatwoot server at its own speed, its stores in turns."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from uuid import UUID

import structlog

from db import due as mailbox
from db import pushes, stores
from db.pool import Connection, scoped
from services.contacts.account import Account
from services.contacts.counts import Counts
from services.contacts.lookup import look_up
from services.contacts.people import Due, Job, Work, work_of
from services.contacts.push import push, settle
from services.kernel import Process, Retryable

_BATCH = 200
_IN_FLIGHT = 8  # enough for 40 calls a second at 200 ms each
_SHIFT_SECONDS = 20.0  # then the lock is asked for again, and stores are looked up again
_POLL_SECONDS = 0.5
_BACK_OFF_SECONDS = (1, 2, 5, 10, 30, 60, 300)  # of one person; the last one repeats
_REST_SECONDS = 2.0  # of a store, after a failure: its other people would fail, too
_FLEETING = timedelta(minutes=1)
log = structlog.get_logger()


class Sender:
    """Runs in one process of the installation at a time; a second one would only send the same again."""

    def __init__(self, process: Process, counts: Counts) -> None:
        self._process = process
        self._counts = counts
        self._resting: dict[UUID, float] = {}

    async def shift(self) -> bool:
        """Serve every server at once until nothing is due or the shift is over; True if there may be more."""
        try:
            return await self._shift(self._process.clock.monotonic() + _SHIFT_SECONDS)
        except ExceptionGroup as group:  # the caller decides by the kind of the error, not of its wrapping
            raise _first(group) from group

    async def _shift(self, end: float) -> bool:
        rounds: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while self._process.clock.monotonic() < end:
                rounds = {base_url: task for base_url, task in rounds.items() if not task.done()}
                waiting = await self._waiting()
                for base_url in waiting.keys() - rounds.keys():
                    rounds[base_url] = group.create_task(self._round(waiting[base_url]))
                if not rounds:
                    return False
                await asyncio.wait(rounds.values(), timeout=_POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        return True

    async def _waiting(self) -> dict[str, list[Account]]:
        """Stores with people due, by server; those at rest or switched off apart."""
        async with scoped(self._process.pool(), ()) as conn:
            everyone = {row["organization_id"] for row in await stores.everyone(conn)}
        now = self._process.clock.monotonic()
        async with scoped(self._process.pool(), everyone) as conn:
            due = await mailbox.waiting(conn, everyone)
            accounts = [Account.of(row) for row in await pushes.accounts(conn)]
        result: dict[str, list[Account]] = {}
        for one in accounts:
            if one.store in due and one.push != "off" and self._resting.get(one.store, now) <= now:
                result.setdefault(one.base_url, []).append(one)
        return result

    async def _round(self, accounts: Sequence[Account]) -> None:
        """One batch of one server."""
        by_store = {one.store: one for one in accounts}
        async with scoped(self._process.pool(), by_store) as conn:
            due = [Due.of(row) for row in await mailbox.ready(conn, by_store, limit=_BATCH)]
            work = await work_of(conn, due, by_store)
            await self._settle_silently(conn, work)
            work.jobs = [job for job in work.jobs if not await self._wait_a_minute(conn, job)]
        gate = asyncio.Semaphore(_IN_FLIGHT)
        async with asyncio.TaskGroup() as group:
            for job in work.jobs:
                if job.difference and job.account.push == "live":
                    group.create_task(self._send(gate, job))
            for one in work.unmapped:
                group.create_task(self._look_up(gate, by_store[one.store], one))

    async def _settle_silently(self, conn: Connection, work: Work) -> None:
        """What needs no call: nobody we know, nothing that differs, or a store that only shows what it would send."""
        for one in work.strangers:
            await settle(conn, [one])
            self._counts.outcome(one.store, "saved", one.marks)
        for job in work.jobs:
            silent = job.account.push == "shadow"
            if silent:
                await pushes.shadow(conn, job.key, changed=job.difference.changed, removed=job.difference.removed)
            if silent or not job.difference:
                await settle(conn, job.due)
                calls = bool(job.difference.changed) + bool(job.difference.removed)
                self._counts.outcome(job.account.store, "shadow", calls)
                self._counts.outcome(job.account.store, "saved", max(0, sum(one.marks for one in job.due) - calls))

    async def _wait_a_minute(self, conn: Connection, job: Job) -> bool:
        """Where somebody is in the shop is told once a minute at most."""
        if not job.is_fleeting or job.synced_at is None:
            return False
        wait = job.synced_at + _FLEETING - self._process.clock.now()
        if wait <= timedelta(0):
            return False
        for one in job.due:
            await mailbox.postpone(conn, one.store, one.person, by=wait, failed=False)
        return True

    async def _send(self, gate: asyncio.Semaphore, job: Job) -> None:
        await self._attempt(gate, job.account, job.due, lambda: push(self._process, job, self._counts))

    async def _look_up(self, gate: asyncio.Semaphore, account: Account, one: Due) -> None:
        await self._attempt(gate, account, [one], lambda: look_up(self._process, account, one, self._counts))

    async def _attempt(
        self, gate: asyncio.Semaphore, account: Account, due: Sequence[Due], work: Callable[[], Awaitable[None]]
    ) -> None:
        """Do it, or do it later; once a store has failed, its others stay due without an attempt."""
        async with gate:
            if self._resting.get(account.store, 0) > self._process.clock.monotonic():
                return
            try:
                await work()
            except Retryable as reason:
                log.warning("push_waits", store=str(account.store), reason=str(reason))
                self._resting[account.store] = self._process.clock.monotonic() + _REST_SECONDS
                self._counts.outcome(account.store, "waiting")
                async with scoped(self._process.pool(), {account.store}) as conn:
                    for one in due:
                        pause = _BACK_OFF_SECONDS[min(one.attempts, len(_BACK_OFF_SECONDS) - 1)]
                        await mailbox.postpone(conn, one.store, one.person, by=timedelta(seconds=pause), failed=True)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
