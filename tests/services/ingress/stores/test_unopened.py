"""A store whose secrets no key here opens is not unknown: its senders get 503, which our nginx asks the other ingress
about, /ready says so, and it is served as soon as its key is here."""

import base64
import os
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from db.pool import Pool
from services.ingress.stores import store_cache as module
from services.ingress.tokens import Claims, Tokens
from services.kernel import Process, Settings
from services.kernel.secrets import Secrets, load_secrets, read_keys
from tests.databases import copied_database
from tests.eventually import eventually
from tests.services.ingress.attaching import post
from tests.services.ingress.bench import EVENT_SECRET, ORIGIN, Shop, open_shop, serving

pytestmark = pytest.mark.usefixtures("topics")


@pytest.fixture
async def alone(settings: Settings, migrated: str) -> AsyncIterator[Settings]:
    """A database of one test's own: which keys sealed its stores says which installation it is."""
    async with copied_database(migrated) as url:
        yield settings.model_copy(update={"database_url": SecretStr(url)})


@pytest.fixture
async def its_admin(alone: Settings) -> AsyncIterator[Pool]:
    assert alone.database_url
    pool: Pool = await asyncpg.create_pool(alone.database_url.get_secret_value(), min_size=0, max_size=2)
    yield pool
    await pool.close()


async def _sealed_elsewhere(admin: Pool, settings: Settings, key: bytes) -> Shop:
    shop_id = uuid.uuid4()
    sealed = Secrets(key).seal(EVENT_SECRET, organization=shop_id, column="event_secret")
    return await open_shop(admin, settings, organization_id=shop_id, event_secret=sealed)


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


async def _answers(client: httpx.AsyncClient, shop: Shop, status: int) -> bool:
    return await post(client, shop) == status


async def test_a_store_sealed_with_a_key_that_is_not_here_gets_503_until_it_is_and_the_others_are_served(
    alone: Settings, its_admin: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.1)
    [here, *_], elsewhere = read_keys(alone), os.urandom(32)
    keys = tmp_path / "keys"
    keys.write_text(_text(here))
    other, shop = await open_shop(its_admin, alone), await _sealed_elsewhere(its_admin, alone, elsewhere)
    async with _with_keys(alone, keys) as (_, client):
        await eventually(lambda: _answers(client, other, 204))
        refused = [await post(client, shop), (await client.get(f"/widget/{shop.website_token}/config")).status_code]
        unknown = await post(client, Shop(uuid.uuid4(), "nobody-s-name", "x", "x" * 24))
        ready, metrics = await client.get("/ready"), await client.get("/metrics")

        keys.write_text(f"{_text(here)}\n{_text(elsewhere)}\n")
        await eventually(lambda: _answers(client, shop, 204))
        await eventually(lambda: _ready(client, 200, "ok"))

    assert (refused, unknown, ready.status_code) == ([503, 503], 401, 200)
    assert shop.slug in ready.text
    assert 'wootstream_refused_total{door="webhooks",reason="not_opened"} 1.0' in metrics.text


async def test_a_suspended_store_is_refused_though_it_was_sealed_with_another_key_while_it_was_known(
    alone: Settings, its_admin: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.1)
    shop = await open_shop(its_admin, alone)
    sealed = Secrets(os.urandom(32)).seal(EVENT_SECRET, organization=shop.id, column="event_secret")
    async with serving(alone) as (_, client):
        assert await post(client, shop) == 204
        async with its_admin.acquire() as conn:
            await conn.execute(
                "update chatwoot_accounts set event_secret = $2 where organization_id = $1", shop.id, sealed
            )
        await eventually(lambda: _ready(client, 200, shop.slug))
        assert await post(client, shop) == 204  # as before
        async with its_admin.acquire() as conn:
            await conn.execute(
                "update chatwoot_accounts set account_status = 'suspended' where organization_id = $1", shop.id
            )

        await eventually(lambda: _answers(client, shop, 401))
        await eventually(lambda: _ready(client, 200, "ok"))


async def test_a_door_with_a_wrong_key_is_out_of_service_and_turns_nobody_away_for_good(
    alone: Settings, its_admin: Pool, tmp_path: Path
) -> None:
    shop = await open_shop(its_admin, alone)
    keys = tmp_path / "keys"
    keys.write_text(_text(os.urandom(32)))
    async with _with_keys(alone, keys) as (_, client):
        await eventually(lambda: _ready(client, 503, "keys list"))
        answers = {await post(client, shop), (await _beacon(client, alone, shop)).status_code}

    assert answers == {503}


@asynccontextmanager
async def _with_keys(settings: Settings, keys: Path) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    """Doors that have nothing of an earlier process."""
    alone = {"data_directory": keys.parent / "data", "installation_key_file": keys, "installation_key": None}
    async with serving(settings.model_copy(update=alone)) as served:
        yield served


async def _ready(client: httpx.AsyncClient, status: int, text: str) -> bool:
    answer = await client.get("/ready")
    return (answer.status_code, text in answer.text) == (status, True)


async def _beacon(client: httpx.AsyncClient, settings: Settings, shop: Shop) -> httpx.Response:
    """Of a page that another ingress, which has the right key, gave its token."""
    keys = load_secrets(settings).derive("beacon token")
    token = Tokens(keys).make(Claims(shop.id, ORIGIN, uuid.uuid4().hex, None, int(time.time()) + 3_600))
    body = f'{{"token":"{token}","consent":["analytics"],"events":[{{"id":"x","event_type":"page_viewed"}}]}}'
    return await client.post("/beacons", content=body, headers={"origin": ORIGIN, "content-type": "text/plain"})
