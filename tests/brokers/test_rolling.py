"""The short form of `make brokers`, on the one Kafka of the session: both doors rolled behind nginx."""

from pathlib import Path

import pytest

from db.pool import Pool
from schemas import topics
from services.kernel import Settings
from tests.brokers.scene import two_of_each
from tests.clients.clients import Absent
from tests.eventually import eventually
from tests.services.ingress.bench import Shop, held, open_shop

_PER_SECOND = 50
_ENOUGH = 50


@pytest.mark.usefixtures("topics")
async def test_doors_are_rolled_behind_nginx_and_nobody_is_refused(
    settings: Settings, admin_pool: Pool, tmp_path: Path
) -> None:
    shop = await open_shop(admin_pool, settings)
    try:
        async with two_of_each(settings, admin_pool, shop, tmp_path, per_second=_PER_SECOND, consumers=()) as scene:
            traffic = scene.traffic
            for name in scene.workers:
                before = len(traffic.accepted)
                await eventually(lambda: len(traffic.accepted) >= before + _ENOUGH)  # noqa: B023 - awaited here
                await scene.roll(name)
            # What a door that was just started took before it reached Kafka waits in its spool, and is drained.
            accepted = len(traffic.accepted)
            await eventually(lambda: _are_in_kafka(settings, shop, accepted))
    except Absent as reason:
        pytest.skip(str(reason))
    assert set(traffic.answers) == {204}
    assert accepted >= len(scene.workers) * _ENOUGH


async def _are_in_kafka(settings: Settings, shop: Shop, count: int) -> bool:
    return len(await held(settings, topics.WEBHOOKS, shop.id)) >= count
