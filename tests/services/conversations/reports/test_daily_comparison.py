"""Each store's whole day beside Chatwoot's own report, as its recorded API answers: equal, or told."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import httpx
import pytest

from db.pool import Pool, use_json
from services.conversations.reports.daily_comparison import DailyComparison
from services.kernel import Clock, Process, Settings
from tests.databases import copied_database
from tests.recordings.recorded import account_webhooks
from tests.services.conversations import bench
from tests.services.conversations.asked_api import answered_by, give_token
from tests.services.conversations.recorded_api import RecordedApi

_RUN = "chatwoot-4.13.0"
_DAY_BEFORE = datetime(2026, 11, 22, 12, tzinfo=UTC)  # of the recording
_ATTACHED = "update public.chatwoot_accounts set created_at = $2 where organization_id = any ($1)"


class Standing(Clock):
    """The night after the recording."""

    moment = datetime(2026, 11, 24, 3, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
async def process(migrated: str, settings: Settings) -> AsyncIterator[Process]:
    """On a database of its own: a day is whole once the whole installation has read it."""
    async with copied_database(migrated) as url:
        process = Process(Settings.model_validate(settings.model_dump() | {"database_url": url}), Standing())
        yield process
        await process.chatwoot.close()
        await process.pool().close()


@pytest.fixture
def pool(process: Process) -> Pool:
    return process.pool()


@pytest.fixture
async def admin_pool(process: Process) -> AsyncIterator[Pool]:
    assert process.settings.database_url
    url = process.settings.database_url.get_secret_value()
    pool: Pool = await asyncpg.create_pool(url, min_size=0, max_size=4, init=use_json)
    yield pool
    await pool.close()


async def attached(
    process: Process, pool: Pool, admin: Pool, api: RecordedApi, *, lost: int = 0
) -> dict[str, bench.Shop]:
    """The recorded stores, which heard all but the last so many webhooks."""
    shops = await bench.install(admin, _RUN)
    given = account_webhooks(_RUN)
    await bench.apply(pool, bench.records(given[: len(given) - lost], shops))
    for shop in shops.values():
        await give_token(admin, process, shop.id)
    async with admin.acquire() as conn:
        await conn.execute(_ATTACHED, [shop.id for shop in shops.values()], _DAY_BEFORE)
    await answered_by(process, api.transport)
    return shops


async def turn(comparison: DailyComparison) -> None:
    """All that is due."""
    while await comparison.turn():
        pass


def told(process: Process, store: UUID, name: str = "wootstream_figures_differing") -> float | None:
    return process.registry.get_sample_value(name, {"store": str(store)})


async def test_whole_day_is_equal_and_asked_for_once(process: Process, pool: Pool, admin_pool: Pool) -> None:
    """Though one conversation was deleted since, of which no webhook tells."""
    api = RecordedApi(_RUN)
    shops = await attached(process, pool, admin_pool, api)
    comparison = DailyComparison(process)
    await turn(comparison)
    assert {name: told(process, shop.id) for name, shop in shops.items()} == dict.fromkeys(shops, 0.0)
    at = {told(process, shop.id, "wootstream_figures_compared_timestamp_seconds") for shop in shops.values()}
    assert at == {Standing.moment.timestamp()}

    asked = len(api.calls)
    process.clock.moment = Standing.moment.replace(hour=6)  # type: ignore[attr-defined]
    await turn(comparison)
    assert len(api.calls) == asked


async def test_webhooks_that_never_came_are_a_difference(process: Process, pool: Pool, admin_pool: Pool) -> None:
    shops = await attached(process, pool, admin_pool, RecordedApi(_RUN), lost=200)
    await turn(DailyComparison(process))
    found = [told(process, shop.id) or 0 for shop in shops.values()]
    assert sum(found) > 0


async def test_chatwoot_that_does_not_tell_is_asked_again_later(process: Process, pool: Pool, admin_pool: Pool) -> None:
    api = RecordedApi(_RUN, fault=httpx.Response(401))
    shops = await attached(process, pool, admin_pool, api)
    comparison = DailyComparison(process)
    await turn(comparison)
    assert {told(process, shop.id) for shop in shops.values()} == {None}

    api.fault = None
    await turn(comparison)
    assert {told(process, shop.id) for shop in shops.values()} == {None}
    process.clock.moment = Standing.moment.replace(hour=5)  # type: ignore[attr-defined]
    await turn(comparison)
    assert {told(process, shop.id) for shop in shops.values()} == {0.0}


async def test_store_that_was_attached_on_that_day_is_not_held_to_it(
    process: Process, pool: Pool, admin_pool: Pool
) -> None:
    shops = await attached(process, pool, admin_pool, RecordedApi(_RUN))
    (first, *_) = shops.values()
    async with admin_pool.acquire() as conn:
        await conn.execute(_ATTACHED, [first.id], datetime(2026, 11, 23, 9, tzinfo=UTC))
    await turn(DailyComparison(process))
    assert told(process, first.id) is None
