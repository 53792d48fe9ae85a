"""A webhook's secret replaced at 500 webhooks a second, two ingress processes, with the waits of real life."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from db.pool import Pool
from schemas import topics
from services.kernel import Clock, Settings
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.services.control.stores.rotating import opened
from tests.services.ingress.bench import held
from tests.services.ingress.running import running

_PER_SECOND = 500
_PROMISED_SECONDS = 10.0


@asynccontextmanager
async def ingress(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    settings.data_directory.mkdir()
    key = {"WOOTSTREAM_INSTALLATION_KEY_FILE": str(settings.installation_key_file), "WOOTSTREAM_LOG_LEVEL": "info"}
    async with (
        running(settings, settings.data_directory, **key) as ours,
        httpx.AsyncClient(base_url=ours.address, timeout=PATIENCE_SECONDS) as client,
    ):
        yield client


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
        print(f"{len(scene.answers) / (clock.monotonic() - began):.0f} webhooks a second")

        assert done.finished
        assert {status for _, status in scene.answers} == {204}
        records = await held(settings, topics.WEBHOOKS, scene.shop.id)
        assert {(one.key or b"").decode().partition(":")[2] for one in records} == scene.kept

        await scene.rotate("webhook", pool, now=True)
        since = clock.monotonic()
        last_taken = dict.fromkeys((0, 1), since)

        async def refused_by_both() -> bool:
            statuses = [await scene.deliver(old, number, scene.doors[number]) for number in (0, 1)]
            for number in (0, 1):
                if statuses[number] == 204:
                    last_taken[number] = clock.monotonic()
            return statuses == [401, 401]

        await eventually(refused_by_both)
    print(f"refused after {max(last_taken.values()) - since:.1f} s")
    assert max(last_taken.values()) - since <= _PROMISED_SECONDS
