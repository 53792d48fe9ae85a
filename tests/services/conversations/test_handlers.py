"""The handler on real PostgreSQL: Chatwoot's rows from any order of webhooks, each fact once."""

from collections import Counter

import pytest

from db.pool import Pool, scoped
from tests.recordings.parity import compare_events, compare_ratings, compare_states
from tests.recordings.recorded import RUNS, account_webhooks, disordered
from tests.recordings.test_figures_equal_chatwoot import HELD
from tests.services.conversations import bench


@pytest.mark.parametrize("order", ["recorded", "reversed", "17"])
@pytest.mark.parametrize("run", RUNS)
async def test_stored_rows_equal_chatwoots_whatever_the_order(
    run: str, order: str, pool: Pool, admin_pool: Pool
) -> None:
    """Events within one second, states and ratings exactly; the order "17" is random with 30 % repeated."""
    shops = await bench.install(admin_pool, run)
    await bench.apply(pool, bench.records(disordered(run, order), shops))

    compared: Counter[str] = Counter()
    for shop in shops.values():
        async with scoped(pool, {shop.id}) as conn:
            compared += compare_events(run, shop.account, await bench.events_of(conn, shop.id))
            compared["states"] += compare_states(run, shop.account, await bench.states_of(conn, shop.id))
            compared["ratings"] += compare_ratings(run, shop.account, await bench.ratings_of(conn, shop.id))
    print(f"{run} in order {order} through PostgreSQL: compared {dict(compared)}")
    assert compared == HELD[run]


async def test_same_webhooks_again_are_no_news_and_change_nothing(pool: Pool, admin_pool: Pool) -> None:
    """Content keys hold without the ledger's help, also against other delivery ids and arrivals."""
    shops = await bench.install(admin_pool, "chatwoot-4.13.0-bots")
    given = account_webhooks("chatwoot-4.13.0-bots")
    await bench.apply(pool, bench.records(given, shops))
    before = await everything(admin_pool, shops)

    news = await bench.apply(pool, bench.records(given[::-1], shops), batch=37)

    assert news == []
    assert await everything(admin_pool, shops) == before


async def everything(admin: Pool, shops: dict[str, bench.Shop]) -> list[object]:
    """All rows of these stores in the service's tables, without their clocks."""
    tables = ("messages", "changes", "ratings", "conversations", "chatwoot_reporting_events")
    async with admin.acquire() as conn:
        return [
            await conn.fetchval(
                f"select jsonb_agg(to_jsonb(t) - 'updated_at' order by t::text) from wootstream.{table} t"  # noqa: S608
                " where organization_id = any($1)",
                [shop.id for shop in shops.values()],
            )
            for table in tables
        ]
