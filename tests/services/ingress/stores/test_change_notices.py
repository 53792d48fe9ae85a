"""A change of a store is known at every door at once; what tells of it may fail, for the poll finds it as well."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from db.pool import Pool
from db.stores import DOOR_COLUMNS
from services.control.stores import suspension
from services.control.stores.site import opened
from services.ingress.stores import store_cache
from services.ingress.stores.change_notices import ChangeNotices
from services.kernel import Settings
from services.kernel.clock import Schedule
from tests.eventually import eventually
from tests.pooler import IGNORING, needs_pgbouncer, pooled
from tests.services.ingress.bench import Shop, open_shop, post_webhook, serving
from tests.services.ingress.freezing import Line

pytestmark = pytest.mark.usefixtures("topics")
_BODY = b'{"event":"message_created","id":9,"account":{"id":3},"conversation":{"id":7}}'
_NEVER = 3_600.0


async def _answers(client: httpx.AsyncClient, shop: Shop, status: int) -> bool:
    return (await post_webhook(client, shop, _BODY, at=datetime.now(UTC))).status_code == status


async def _ready(client: httpx.AsyncClient, text: str) -> bool:
    answer = await client.get("/ready")
    return answer.status_code == 200 and text in answer.text


async def _suspend(settings: Settings, shop: Shop) -> None:
    async with opened(settings) as site:
        assert await suspension.set_status(site, shop.slug, "suspended")


async def test_all_that_the_doors_know_of_a_store_is_told_when_it_changes(admin_pool: Pool) -> None:
    async with admin_pool.acquire() as conn:
        rows = await conn.fetch(
            "select event_object_column from information_schema.triggered_update_columns where trigger_name = 'told'"
        )
    assert {row["event_object_column"] for row in rows} == {*DOOR_COLUMNS, "account_status"}


@pytest.fixture
def _seldom_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_cache, "POLL_SECONDS", _NEVER)


@pytest.mark.usefixtures("_seldom_polled")
async def test_a_suspension_is_known_at_another_process_without_its_poll(settings: Settings, admin_pool: Pool) -> None:
    shop = await open_shop(admin_pool, settings)
    async with serving(settings) as (_, one), serving(settings) as (_, other):
        assert [await _answers(client, shop, 204) for client in (one, other)] == [True, True]

        await _suspend(settings, shop)

        for client in (one, other):
            await eventually(partial(_answers, client, shop, 401))


async def test_the_poll_finds_it_where_nobody_tells(
    settings: Settings, admin_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(_notices: ChangeNotices) -> None:
        """Whoever listens to nobody."""

    monkeypatch.setattr(ChangeNotices, "listen", deaf)
    monkeypatch.setattr(store_cache, "POLL_SECONDS", 0.2)
    shop = await open_shop(admin_pool, settings)
    async with serving(settings) as (_, client):
        assert await _answers(client, shop, 204)

        await _suspend(settings, shop)

        await eventually(partial(_answers, client, shop, 401))


@pytest.mark.usefixtures("_seldom_polled")
async def test_a_lost_connection_is_a_remark_and_made_again(
    settings: Settings, admin_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was changed meanwhile is looked for as soon as it stands."""
    monkeypatch.setattr("services.kernel.trouble._PAUSES", Schedule((0.1,)))
    shop = await open_shop(admin_pool, settings)
    assert settings.database_url
    async with Line(settings.database_url.get_secret_value()).laid() as line:
        told = settings.model_copy(update={"database_direct_url": SecretStr(line.url)})
        async with serving(told) as (_, client):
            assert await _answers(client, shop, 204)
            await eventually(lambda: line.carries)

            line.break_off()
            await eventually(lambda: _ready(client, "being told of changed stores does not go on"))
            await _suspend(settings, shop)
            assert await _answers(client, shop, 204)

            line.cut = False
            await eventually(partial(_answers, client, shop, 401))
            assert not await _ready(client, "being told")


@needs_pgbouncer
@pytest.mark.usefixtures("_seldom_polled")
async def test_behind_a_pooler_the_server_itself_tells(settings: Settings, admin_pool: Pool, tmp_path: Path) -> None:
    shop = await open_shop(admin_pool, settings)
    assert settings.database_url
    async with pooled(settings.database_url.get_secret_value(), tmp_path / "pooler", IGNORING) as url:
        behind = settings.model_copy(
            update={"database_url": SecretStr(url), "database_direct_url": settings.database_url}
        )
        alone = behind.model_copy(update={"database_direct_url": None})
        through = behind.model_copy(update={"database_direct_url": SecretStr(url)})
        async with serving(behind) as (_, one), serving(alone) as (_, polled), serving(through) as (_, misled):
            for client in (one, polled, misled):
                assert await _answers(client, shop, 204)
            await eventually(lambda: _ready(misled, "name the server itself"))

            await _suspend(behind, shop)

            await eventually(partial(_answers, one, shop, 401))
            assert await _answers(polled, shop, 204)
