"""Consumers join and leave: partitions wander, and each record still has its effect once."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise

from services.kernel import Process
from tests.chaos.consuming import add_sink
from tests.chaos.installation import Installation
from tests.chaos.scene import consumed
from tests.chaos.sink import Sink
from tests.chaos.verdict import Verdict, listed

_LEAST = 5
_KILLS_A_REBALANCE = 4
_MOST_APART = 200  # records between a joining and a leaving


async def test_consumers_that_join_and_leave_lose_and_double_nothing(
    installation: Installation, chance: random.Random, verdict: Verdict, kills: int
) -> None:
    times = max(_LEAST, kills // _KILLS_A_REBALANCE)
    moments = [datetime.now(UTC)]
    async with consumed(installation, workers=1) as scene:
        for number in range(times):
            async with guest(scene.sink):
                if number % 2:  # else it leaves while it is still joining, or has just joined
                    await scene.hears_from(os.getpid())
                await scene.moves(chance.randrange(_MOST_APART))
            await scene.moves(chance.randrange(_MOST_APART))
            moments.append(datetime.now(UTC))
        told = await scene.settled()

    assert (told.lost, told.doubled) == (0, 0)
    still = [await scene.sink.standstill(begin, end) for begin, end in pairwise(moments)]
    verdict.add("consumers joined and left", times, told, f"seconds without progress: {listed(still)}")


@asynccontextmanager
async def guest(sink: Sink) -> AsyncIterator[Process]:
    """A second consumer, that leaves as by SIGTERM."""
    process = Process(sink.installation.settings)
    add_sink(sink.name, sink.topic.name)(process)
    serving = asyncio.create_task(process.serve())
    try:
        yield process
    finally:
        process.stopping.set()
        assert await serving == 0
