"""One batch of the people due at one server. What their data raises, of whatever class, costs them and nobody else."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg
import structlog

from db.people import due as mailbox
from db.people import pushes
from db.pool import Connection, scoped
from services.contacts.sending.contacts_api import SenderAccount, ServedChatwoot
from services.contacts.sending.due_work import Due, DueWork, PushJob, work_of
from services.contacts.sending.leases import LeaseLost
from services.contacts.sending.push import push, settle
from services.contacts.sending.search import look_up
from services.kernel.clock import Schedule
from services.kernel.errors import Verdict, describe, verdict

_BATCH = 200  # at 40 calls a second, what the five seconds of a round can serve
_IN_FLIGHT = 8  # enough for 40 calls a second at 200 ms each
_ROUND_SECONDS = 5.0  # of a server at its pace; then no further call is begun, for others may be due there
_PAUSES = Schedule((1, 2, 5, 10, 30, 60, 300))  # of one person
_SEARCH_SECONDS = 60.0  # for whom PostgreSQL does not reckon in time; the rest stays due
_REST_SECONDS = 2.0  # of a store, after a failure: its other people would fail, too
_ASIDE = timedelta(minutes=15)  # of a person whose data raises; their next mark ends it
_FLEETING = timedelta(minutes=1)  # between two calls that only say where somebody is in the shop
_Outcome = tuple[UUID, str, int]
log = structlog.get_logger()


class Round:
    """Reads who is due, settles what needs no call, then calls for the others."""

    def __init__(self, served: ServedChatwoot, resting: dict[UUID, float], accounts: Sequence[SenderAccount]) -> None:
        self._served = served
        self._process = served.process
        self._counts = served.counts
        self._resting = resting  # until when a store is left alone
        self._accounts: Mapping[UUID, SenderAccount] = {one.store: one for one in accounts}
        self._gate = asyncio.Semaphore(_IN_FLIGHT)
        self._answered = set[UUID]()  # stores whose Chatwoot took a call in this round
        self._over_at = self._process.clock.monotonic() + _ROUND_SECONDS

    async def run(self) -> None:
        async with scoped(self._process.pool(), self._accounts) as conn:
            due = [Due.of(row) for row in await mailbox.ready(conn, self._accounts, limit=_BATCH)]
        work = await self._prepared(due)
        async with asyncio.TaskGroup() as group:
            for job in work.jobs:
                if job.difference and job.account.push == "live":
                    group.create_task(self._send(job))
            for one in work.unmapped:
                group.create_task(self._look_up(one))
        if self._answered:
            async with scoped(self._process.pool(), self._answered) as conn:
                await pushes.synced(conn, self._answered, self._process.clock.now())

    async def _prepared(self, due: Sequence[Due]) -> DueWork:
        """What is to be called for. Whose data PostgreSQL refuses, or takes too long for, is found by halves."""
        try:
            async with scoped(self._process.pool(), self._accounts) as conn:
                await pushes.shortly(conn)
                work = await work_of(conn, due, self._accounts)
                outcomes = await self._settle_silently(conn, work)
                work.jobs = [job for job in work.jobs if not await self._wait_a_minute(conn, job)]
        except Exception as error:
            if verdict(error) is not Verdict.GUILTY and not isinstance(error, asyncpg.QueryCanceledError):
                raise
            # PostgreSQL names the statement, not the person: halves find them in eight steps.
            if len(due) == 1:
                await self._set_aside(due, error)
                return DueWork()
            if self._process.clock.monotonic() > self._over_at + _SEARCH_SECONDS:
                log.warning("people_wait", people=len(due), reason=describe(error))
                return DueWork()
            first, second = _halves(due)
            return await self._prepared(first) + await self._prepared(second)
        for store, outcome, times in outcomes:
            self._counts.outcome(store, outcome, times)
        for one, raised in work.failed:
            await self._set_aside([one], raised)
        return work

    async def _settle_silently(self, conn: Connection, work: DueWork) -> list[_Outcome]:
        """What needs no call: nobody we know, nothing that differs, or a store that only shows what it would send."""
        outcomes = [(one.store, "saved", one.marks) for one in work.strangers]
        await settle(conn, work.strangers)
        for job in work.jobs:
            silent = job.account.push == "shadow"
            if silent:
                await pushes.shadow(conn, job.key, changed=job.difference.changed, removed=job.difference.removed)
            if job.confirmed and not silent:
                await pushes.confirm(conn, job.key, job.confirmed)
            if silent or not job.difference:
                await settle(conn, job.due)
                calls = bool(job.difference.changed) + bool(job.difference.removed)
                marks = sum(one.marks for one in job.due)
                outcomes += [(job.account.store, "shadow", calls), (job.account.store, "saved", max(0, marks - calls))]
        return outcomes

    async def _wait_a_minute(self, conn: Connection, job: PushJob) -> bool:
        """Where somebody is in the shop is told once a minute at most."""
        if not job.is_fleeting or job.synced_at is None:
            return False
        wait = job.synced_at + _FLEETING - self._process.clock.now()
        if wait <= timedelta(0):
            return False
        for one in job.due:
            await mailbox.postpone(conn, one.store, one.person, by=wait, failed=False)
        return True

    async def _send(self, job: PushJob) -> None:
        async def work() -> None:
            await push(self._served, job)
            self._answered.add(job.account.store)

        await self._attempt(job.account.store, job.due, work)

    async def _look_up(self, one: Due) -> None:
        account = self._accounts[one.store]
        await self._attempt(one.store, [one], lambda: look_up(self._served, account, one))

    async def _attempt(self, store: UUID, due: Sequence[Due], work: Callable[[], Awaitable[None]]) -> None:
        """Do it, or do it later; once a store has failed, its others stay due without an attempt."""
        async with self._gate:
            now = self._process.clock.monotonic()
            if now < self._resting.get(store, now) or now > self._over_at:
                return
            try:
                await work()
            except LeaseLost:
                return
            except Exception as error:
                judged = verdict(error)
                if judged is Verdict.STOP:
                    raise
                await (self._wait if judged is Verdict.AGAIN else self._set_aside)(due, error)

    async def _wait(self, due: Sequence[Due], error: Exception) -> None:
        """Its Chatwoot, or PostgreSQL, is not ready. Raises where the latter does not even take this."""
        store = due[0].store
        log.warning("push_waits", store=str(store), reason=describe(error))
        self._resting[store] = self._process.clock.monotonic() + _REST_SECONDS
        self._counts.outcome(store, "waiting")
        self._answered.discard(store)
        async with scoped(self._process.pool(), {store}) as conn:
            await pushes.troubled(conn, store, describe(error))
            for one in due:
                pause = _PAUSES.after(one.attempts)
                await mailbox.postpone(conn, one.store, one.person, by=timedelta(seconds=pause), failed=True)

    async def _set_aside(self, due: Sequence[Due], error: Exception) -> None:
        """What is known or answered of them raises in our code: the same again would raise again."""
        store, reason = due[0].store, f"set aside: {describe(error)}"
        self._counts.failed(store, error, len(due))
        async with scoped(self._process.pool(), {store}) as conn:
            for one in due:
                await pushes.set_aside(
                    conn, store, customer_id=one.customer_id, contact_id=one.contact_id, reason=reason
                )
                await mailbox.postpone(conn, one.store, one.person, by=_ASIDE, failed=False)


def _halves(due: Sequence[Due]) -> tuple[Sequence[Due], Sequence[Due]]:
    """Of the stores, so that the others' people are through at once; of one store's people."""
    by_store: dict[UUID, list[Due]] = defaultdict(list)
    for one in due:
        by_store[one.store].append(one)
    if len(by_store) == 1:
        return due[: len(due) // 2], due[len(due) // 2 :]
    parts = [*by_store.values()]
    first, second = parts[: len(parts) // 2], parts[len(parts) // 2 :]
    return [one for part in first for one in part], [one for part in second for one in part]
