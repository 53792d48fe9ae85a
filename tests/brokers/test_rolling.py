"""The short form of `make brokers`, on the one Kafka of the session: both doors rolled behind nginx."""

from pathlib import Path

import pytest

from db.pool import Pool
from schemas import topics
from services.kernel import Settings
from tests.brokers.scene import two_of_each
from tests.clients.clients import Absent
from tests.eventually import eventually
from tests.services.ingress.bench import held, open_shop

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
    except Absent as reason:
        pytest.skip(str(reason))
    records = await held(settings, topics.WEBHOOKS, shop.id)
    assert set(traffic.answers) == {204}
    assert len(records) >= len(traffic.accepted) >= len(scene.workers) * _ENOUGH
