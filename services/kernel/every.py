"""Repeated work: at once while there is some, else after a pause; optionally in one process of all, store by store."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from uuid import UUID

import structlog

from db import transactions
from db.pool import TooMuchPower
from services.kernel.errors import Stop, Verdict, describe, may_be_of_a_store, verdict
from services.kernel.process import Process
from services.kernel.trouble import Trouble

_AFTER_FAULT_SECONDS = 2.0
log = structlog.get_logger()


def every(
    process: Process,
    work: Callable[[], Awaitable[bool]],
    *,
    name: str,
    seconds: float,
    alone: bool = False,
    wake: asyncio.Event | None = None,
    needed: bool = True,
) -> None:
    """Call `work` again at once while it answers True, else wait, but not once `wake` is set; `work` clears it.

    With `alone`, one process at a time does it, after the process's checks, and few of a process's such works have
    their turn at a time.
    What is Retryable is logged and tried again; so is anything else, more and more seldom, and /ready tells of it, as a
    remark where the work is not `needed`. Only a Stop before it has ever worked ends the process.
    """
    trouble = process.trouble(name, needed=needed)
    turns = process.turns_alone[needed] if alone else None

    async def once() -> bool:
        more = await work()
        trouble.over()
        return more

    async def turn() -> None:
        while not process.stopping.is_set():
            more = True
            try:
                if alone:
                    await process.checked()
                async with _turn_of(process, name, turns) as ours:
                    while more and not process.stopping.is_set():
                        more = await ours() and await once()
                        if turns and turns.locked():  # behind the others, if there is more
                            break
            except Exception as error:
                if isinstance(error, Stop | TooMuchPower) and not trouble.has_worked:
                    raise
                # Not the pause of work that is done: what is asked for once a day would skip a day for one restart.
                await process.clock.wait(_after(error, name, trouble), process.stopping)
                continue
            if not more:
                await process.clock.wait(seconds, process.stopping, *((wake,) if wake else ()))

    process.background(name, turn, ends_itself=True)


async def each(stores: Iterable[UUID], work: Callable[[UUID], Awaitable[None]]) -> None:
    """Do it for one store after the other. What fails for one is raised once all others have had their turn; what can
    be no store's, as a lost connection, at once."""
    failures: list[Exception] = []
    for store in stores:
        try:
            await work(store)
        except Exception as error:
            if not may_be_of_a_store(error):
                raise
            log.warning("store_waits", store=str(store), error=describe(error))
            failures.append(error)
    if failures:
        raise failures[0] if len(failures) == 1 else ExceptionGroup("some stores wait", failures)


def _after(error: Exception, name: str, trouble: Trouble) -> float:
    if verdict(error) is not Verdict.AGAIN:
        return trouble.failed(error)
    log.warning("work_waits", work=name, error=describe(error))
    return _AFTER_FAULT_SECONDS


@asynccontextmanager
async def _turn_of(
    process: Process, name: str, turns: asyncio.Semaphore | None
) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    if turns is None:
        yield _always
        return
    # Whoever holds the lock needs a second connection to work with: were all works to hold theirs at once, a process's
    # pool or a small pooler would have none left, and each would wait for the others. So they wait before that.
    #
    # The lock lives in a transaction, so it also works behind a transaction pooler. Asking again costs nothing while we
    # hold it, and fails when the connection, and with it the lock, is gone.
    async with turns, process.pool().acquire(timeout=10) as conn, conn.transaction():
        await transactions.may_idle(conn)

        async def ours() -> bool:
            return await transactions.alone(conn, f"wootstream/{name}")

        yield ours


async def _always() -> bool:
    return True
