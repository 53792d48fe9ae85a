"""The specified ways into the events use an index, of the months that may hold them alone."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from db.pool import Pool, scoped, use_json
from db.widget import daily
from services.widget.months import ensure
from tests.services.attached import attach

# In the middle of a month: in the first hour of one its rows lie in two partitions, and a few are read the cheaper way.
_NOW = datetime.now(UTC).replace(day=15, hour=12)
_ROWS = 3_000
# Enough of several stores and types that reading all would be the dearer way.
_FILL = """
insert into public.chatwoot_widget_events
  (organization_id, created_at, id, event_type, session_id, user_id, customer_id)
select ($1::uuid[])[1 + n % 5], $2::timestamptz - n * interval '1 second', gen_random_uuid(),
  (array['page_viewed', 'widget_loaded', 'widget_opened', 'conversation_started'])[1 + n % 4], 's',
  case when n % 50 = 0 then $3::uuid end, case when n % 50 = 0 then 'c1' end
from generate_series(1, $4) n
"""
_EVENTS = "select * from public.chatwoot_widget_events where organization_id = $1"
_PATHS = {
    "store and time": (f"{_EVENTS} and created_at >= $2 order by created_at desc limit 50", "pkey"),
    "type and time": (f"{_EVENTS} and created_at >= $2 and event_type = 'widget_opened'", "event_type"),
    "user and time": (f"{_EVENTS} and created_at >= $2 and user_id = $3", "user_id"),
    "customer and time": (f"{_EVENTS} and created_at >= $2 and customer_id = 'c1'", "customer_id"),
}
_USER = uuid.UUID(int=7)


def _scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    below = [one for part in plan.get("Plans", ()) for one in _scans(part)]
    return [plan, *below] if "Scan" in plan["Node Type"] and "Subquery" not in plan["Node Type"] else below


async def _plan(conn: Any, query: str, *arguments: object) -> list[dict[str, Any]]:
    await conn.execute("set local plan_cache_mode = force_custom_plan")
    (answer,) = await conn.fetchval(f"explain (format json) {query}", *arguments)
    return _scans(answer["Plan"])


@pytest_asyncio.fixture(scope="module")
async def store(own_database: str, own_pool: Pool) -> uuid.UUID:
    await ensure(own_pool, _NOW)
    async with asyncpg.create_pool(own_database, min_size=0, max_size=2, init=use_json) as admin:
        stores = [await attach(admin) for _ in range(5)]
        await admin.execute(_FILL, stores, _NOW, _USER, _ROWS)
        await admin.execute("analyze public.chatwoot_widget_events")
    return stores[0]


@pytest.mark.parametrize("name", _PATHS)
async def test_a_specified_path_uses_its_index(name: str, store: uuid.UUID, own_pool: Pool) -> None:
    query, index = _PATHS[name]
    arguments = (store, _NOW - timedelta(minutes=10), *([_USER] if "$3" in query else []))
    async with scoped(own_pool, {store}) as conn:
        scans = await _plan(conn, query, *arguments)
        found = await conn.fetch(query, *arguments)
    assert found
    used = [one for one in scans if one.get("Plan Rows", 0) > 1 or "Index Name" in one]
    assert used
    assert [one for one in used if one["Node Type"] == "Seq Scan" and one["Plan Rows"] > 1] == []
    assert any(index in one.get("Index Name", "") for one in used)
    months = {one["Relation Name"] for one in scans if "Relation Name" in one} - {"chatwoot_widget_events"}
    assert f"chatwoot_widget_events_{_NOW - timedelta(days=70):%Y%m}" not in months


async def test_a_report_reads_daily_counts_alone(store: uuid.UUID, own_pool: Pool) -> None:
    async with scoped(own_pool, {store}) as conn:
        first, last = _NOW.date() - timedelta(days=365), _NOW.date()
        scans = await _plan(conn, daily._FIGURES, store, first, last, "days")
    assert {one["Relation Name"] for one in scans if "Relation Name" in one} == {"chatwoot_widget_daily"}
