"""`stores rotate` under traffic, with two ingress processes: nothing refused that should have been accepted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from db import rotations
from db.pool import Pool, scoped
from local.chatwoot.model.rows import Webhook
from local.demo.shop import Shop as Backend
from local.demo.shop import shop_event
from schemas import topics
from services.ingress.stores import store_cache
from services.kernel import Refusal, Settings
from tests.eventually import eventually
from tests.services.attached import ACCOUNT_ID
from tests.services.control.stores.rotating import Scene, opened
from tests.services.ingress.bench import held, serving

pytestmark = pytest.mark.usefixtures("topics", "quick")
_POLL_SECONDS = 0.2
_SPREAD_SECONDS = 5 * _POLL_SECONDS


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_cache, "POLL_SECONDS", _POLL_SECONDS)


@asynccontextmanager
async def ingress(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(settings) as (_, client):
        yield client


async def test_webhook_is_replaced_under_traffic_and_nothing_is_refused(
    settings: Settings, admin_pool: Pool, pool: Pool, tmp_path: Path
) -> None:
    async with opened(settings, admin_pool, tmp_path, ingress) as scene:
        [old] = scene.account.webhooks.values()
        async with scene.traffic():
            await eventually(lambda: len(scene.kept) > 10)
            said: list[str] = []
            done = await scene.rotate("webhook", pool, spread_seconds=_SPREAD_SECONDS, say=said.append)
            [new] = scene.account.webhooks.values()
            so_far = len(scene.answers)
            await eventually(lambda: len(scene.answers) > so_far + 10)

        assert (done.finished, done.secret, new.url) == (True, None, f"{old.url}?v=2")
        assert [one.split(",")[0] for one in said] == ["waiting 1 s", "waiting for a delivery on the new webhook"]
        assert new.subscriptions == old.subscriptions
        assert {status for _, status in scene.answers} == {204}
        assert {url for url, _ in scene.answers} == {old.url, new.url}
        records = await held(settings, topics.WEBHOOKS, scene.shop.id)
        assert {(one.key or b"").decode().partition(":")[2] for one in records} == scene.kept

        await scene.rotate("webhook", pool, now=True)
        assert [one.url for one in scene.account.webhooks.values()] == [f"{old.url}?v=3"]
        for door in scene.doors:
            for gone in (old, new):
                await eventually(partial(_is, scene, gone, door, 401))
            [last] = scene.account.webhooks.values()
            assert await scene.deliver(last, 2, door) == 204


async def _is(scene: Scene, hook: Webhook, door: httpx.AsyncClient, status: int) -> bool:
    return await scene.deliver(hook, 1, door) == status


async def _begun(scene: Scene, pool: Pool) -> bool:
    async with scoped(pool, {scene.shop.id}) as conn:
        return await rotations.of(conn, scene.shop.id) is not None


async def test_rotation_that_was_cut_short_goes_on_with_the_same_webhook(
    settings: Settings, admin_pool: Pool, pool: Pool, tmp_path: Path
) -> None:
    async with opened(settings, admin_pool, tmp_path, ingress) as scene:
        rotating = asyncio.create_task(scene.rotate("webhook", pool, spread_seconds=600))
        await eventually(partial(_begun, scene, pool))
        rotating.cancel()
        await asyncio.gather(rotating, return_exceptions=True)
        old, new = scene.account.webhooks.values()
        assert new.subscriptions == ["inbox_created"]
        async with scene.traffic():
            assert (await scene.rotate("webhook", pool, spread_seconds=_SPREAD_SECONDS)).finished
        assert list(scene.account.webhooks.values()) == [new]
        assert {status for _, status in scene.answers} == {204}
        assert old.secret != new.secret


async def test_path_token_is_replaced_under_traffic_and_the_old_one_refused_when_it_leaked(
    settings: Settings, admin_pool: Pool, pool: Pool, tmp_path: Path
) -> None:
    async with opened(settings, admin_pool, tmp_path, ingress, signs=False) as scene:
        [hook] = scene.account.webhooks.values()
        first = hook.url
        async with scene.traffic():
            await eventually(lambda: len(scene.kept) > 10)
            done = await scene.rotate("path", pool, spread_seconds=_SPREAD_SECONDS)
            so_far = len(scene.answers)
            await eventually(lambda: len(scene.answers) > so_far + 10)
        second = hook.url
        assert {status for _, status in scene.answers} == {204}
        assert (done.secret, second == first) == (second, False)

        await scene.rotate("path", pool, now=True)
        for door in scene.doors:
            for leaked in (first, second):
                gone = Webhook(id=0, account_id=ACCOUNT_ID, url=leaked, name=None, subscriptions=[], secret=None)
                await eventually(partial(_is, scene, gone, door, 401))
        with pytest.raises(Refusal, match="--what path"):
            await scene.rotate("webhook", pool, spread_seconds=_SPREAD_SECONDS)


async def test_secrets_of_the_shop_and_the_api_token_are_replaced(
    settings: Settings, admin_pool: Pool, pool: Pool, tmp_path: Path
) -> None:
    async with opened(settings, admin_pool, tmp_path, ingress) as scene:
        made = str((await scene.rotate("event", pool)).secret)
        paid = shop_event("order.paid", datetime.now(UTC), customer_id="c1", order_id="o1")
        old, new = (Backend(scene.doors[0], scene.shop.slug, one) for one in (scene.shop.event_secret, made))
        await eventually(lambda: _is_status(new.send(paid), 204))
        assert (await old.send(paid)).status_code == 204
        leaked = await scene.rotate("event", pool, now=True)
        last = Backend(scene.doors[0], scene.shop.slug, str(leaked.secret))
        await eventually(lambda: _is_status(last.send(paid), 204))
        assert [(await one.send(paid)).status_code for one in (old, new)] == [401, 401]

        await scene.rotate("api", pool)
        await scene.rotate("api", pool)  # with the token that the first made
        assert str((await scene.rotate("vouching", pool)).secret).startswith("whsec_")
        with pytest.raises(Refusal, match="--what webhook"):
            await scene.rotate("path", pool, spread_seconds=_SPREAD_SECONDS)


async def _is_status(answer: Any, status: int) -> bool:
    return bool((await answer).status_code == status)
