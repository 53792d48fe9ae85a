"""SIGSTOP for longer than the session time-out, then SIGCONT: the zombie still holds a batch that another has done."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psutil

from tests.chaos.installation import Installation
from tests.chaos.processes import Worker
from tests.chaos.scene import Scene, consumed
from tests.chaos.verdict import Verdict
from tests.eventually import eventually

_KILLS_A_FREEZE = 20  # each takes a session and two rebalances
_LOCK = "select from wootstream.ledger where consumer_group = $1 order by partition for update"
_WAITING = """
select client_port from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
"""
_LET_GO = """
select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock' and client_port = any ($1::int[])
"""


async def test_frozen_consumer_that_wakes_after_its_session_writes_nothing_of_what_it_held(
    installation: Installation, chance: random.Random, verdict: Verdict, kills: int
) -> None:
    times = max(1, kills // _KILLS_A_FREEZE)
    async with consumed(installation, workers=2) as scene:
        for _ in range(times):
            zombie = chance.choice(scene.workers)
            await scene.hears_from(zombie.pid)  # a partition that nobody has entered has no row to be locked
            async with frozen_with_a_batch(scene, zombie):
                await scene.catches_up()
            await scene.hears_from(zombie.pid)
        told = await scene.settled()

    assert (told.lost, told.doubled) == (0, 0)
    assert told.redelivered >= times
    verdict.add("consumers frozen past their session", times, told)


@asynccontextmanager
async def frozen_with_a_batch(scene: Scene, worker: Worker) -> AsyncIterator[None]:
    """Freeze it while it waits for the ledger, a batch in hand; nothing of it stays in PostgreSQL."""
    admin = scene.sink.installation.admin
    # Who waits for what is the same for the length of a transaction: a second connection looks.
    async with admin() as looking, admin() as conn, conn.transaction():
        await conn.execute(_LOCK, scene.sink.name)
        while True:
            ports = await eventually(lambda: _waits_for_ledger(looking, worker))
            worker.freeze()
            if await looking.fetchval(_LET_GO, ports):
                break
            worker.thaw()  # it gave up waiting just then, to try again
    try:
        yield
    finally:
        worker.thaw()


async def _waits_for_ledger(conn: Any, worker: Worker) -> list[int] | None:
    """Its ports whose statements wait for a lock; None while none does."""
    waiting = {row["client_port"] for row in await conn.fetch(_WAITING)}
    if not waiting:  # the system's list of connections is long where many tests have run: it is asked for the less
        return None
    theirs = {one.laddr.port for one in psutil.Process(worker.pid).net_connections("tcp")}
    return [*waiting & theirs] or None
