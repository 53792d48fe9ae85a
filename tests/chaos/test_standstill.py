"""How long the partitions of a consumer that goes stand still. Measured and told, never asserted."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.chaos.installation import Installation
from tests.chaos.scene import Scene, consumed
from tests.chaos.verdict import Verdict, listed

_TIMES = 3
_DEFAULT_SESSION_SECONDS = 10.0

Leave = Callable[[Scene], Awaitable[None]]


async def killed(scene: Scene) -> None:
    """Its partitions come free when its session is over."""
    await scene.workers[0].kill()


async def killed_and_started_again(scene: Scene) -> None:
    """As a supervisor would."""
    await scene.workers[0].kill()
    await scene.workers[0].start()


async def stopped(scene: Scene) -> None:
    assert await scene.workers[0].stop() == 0


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("leave", "static"), [(killed, False), (killed_and_started_again, True), (stopped, False)],
    ids=["killed", "killed-static-restarted", "stopped"],
)  # fmt: skip
async def test_partitions_of_a_consumer_that_goes_are_taken_over(
    installation: Installation, verdict: Verdict, leave: Leave, static: bool, request: pytest.FixtureRequest
) -> None:
    patient = installation.settings.model_copy(update={"session_timeout_seconds": _DEFAULT_SESSION_SECONDS})
    still = []
    async with consumed(replace(installation, settings=patient), workers=2, static=static) as scene:
        for _ in range(_TIMES):
            await scene.workers[0].start()
            for worker in scene.workers:
                await scene.hears_from(worker.pid)
            begin = datetime.now(UTC)
            await leave(scene)
            await scene.catches_up()
            still.append(await scene.sink.standstill(begin, datetime.now(UTC)))
        told = await scene.settled()

    assert (told.lost, told.doubled) == (0, 0)
    how = request.node.callspec.id
    verdict.add(f"of two consumers {how}", _TIMES, told, f"seconds without progress: {listed(still)}")
