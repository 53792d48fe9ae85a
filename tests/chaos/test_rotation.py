"""A webhook's secret replaced at 500 webhooks a second, two ingress processes, with the waits of real life."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from db.pool import Pool
from local.chatwoot.model.rows import Webhook
from schemas import topics
from services.kernel import Clock, Settings
from tests.chaos.doors import ingress
from tests.services.control.stores.rotating import Scene, opened
from tests.services.ingress.bench import held

_PER_SECOND = 500
_PROMISED_SECONDS = 10.0
_TRIED_SECONDS = 15.0


@pytest.mark.chaos
@pytest.mark.usefixtures("topics")
async def test_rotation_at_full_traffic_refuses_nothing_and_a_leaked_secret_is_refused_in_time(
    settings: Settings, admin_pool: Pool, pool: Pool, tmp_path: Path
) -> None:
    clock = Clock()
    async with opened(settings, admin_pool, tmp_path, ingress) as scene:
        [old] = scene.account.webhooks.values()
        began = clock.monotonic()
        async with scene.traffic(per_second=_PER_SECOND):
            done = await scene.rotate("webhook", pool)
        print(f"{len(scene.answers)} webhooks, {len(scene.answers) / (clock.monotonic() - began):.0f} a second")

        assert done.finished
        assert {status for _, status in scene.answers} == {204}
        records = await held(settings, topics.WEBHOOKS, scene.shop.id)
        assert {(one.key or b"").decode().partition(":")[2] for one in records} == scene.kept

        async with scene.traffic(per_second=_PER_SECOND):
            [leaked] = scene.account.webhooks.values()
            await scene.rotate("webhook", pool, now=True)
            taken = await _tried_for(_TRIED_SECONDS, scene, [old, leaked], clock)
    print(f"the leaked secret was last taken after {max(taken, default=0.0):.1f} s")
    assert [seconds for seconds in taken if seconds > _PROMISED_SECONDS] == []


async def _tried_for(seconds: float, scene: Scene, hooks: Sequence[Webhook], clock: Clock) -> list[float]:
    """When something was taken that was signed with one of these secrets, in seconds from now, at either ingress."""
    since = clock.monotonic()
    taken = []
    while (at := clock.monotonic() - since) < seconds:
        statuses = [await scene.deliver(one, 1, door) for one in hooks for door in scene.doors]
        taken += [at for status in statuses if status == 204]
        assert {*statuses} <= {204, 401}
    return taken
