"""What it costs as it grows: inserts and the specified queries with few rows and with many, and a report of a year.

Rows are made in bulk by PostgreSQL itself, of 50 stores, back from now on as dense as 50 times as many in 25 days: so
many, then ten and fifty times as many. Then batches go in, and the queries of one store's last hour, which find the
same number of rows in each, are asked, each in the median of its times; beside them stands how many blocks PostgreSQL
looked at, which tells more on a machine that has other work. What the disk has no room for is left out, and said.
`python -m benchmarks.widget.growth --json` ends with one object: the ratios say how much dearer a larger table is than
the first.
"""

import shutil
import statistics
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from benchmarks._command import command
from benchmarks._stack import open_stack
from benchmarks.widget.bench import STORES, attached
from db.migrate import migrate
from db.pool import SERVICE, Pool, open_pool, scoped
from services.widget import events, handlers
from services.widget.use import Span, use
from tests.widget_posts import Posts

_TIMES, _GROWN = 30, (1, 10, 50)
_SPAN = timedelta(days=25)  # back from now there is always a month's partition for it
_ASKED = timedelta(hours=1)  # back from now
_YEAR_TIMES = 10
# With four indexes; half as much again for the log, and for what vacuum and sorts need meanwhile.
_BYTES_A_ROW = 600
# Store, type and user of a row are independent of each other, so that each store has some of all.
_FILL = """
insert into public.chatwoot_widget_events
  (organization_id, created_at, id, event_type, session_id, user_id, customer_id, page_url)
select ($1::uuid[])[1 + n % 50], $2::timestamptz - n * $6::interval, gen_random_uuid(),
  (array['page_viewed', 'page_viewed', 'cart_updated', 'widget_loaded', 'widget_opened', 'message_sent'])
    [1 + n / 50 % 6], 's' || n % 100000,
  case when n / 300 % 200 = 0 then $3::uuid end, case when n / 300 % 20 = 0 then 'c' || n % 1000 end, 'https://shop.example/'
from generate_series($4::bigint, $5::bigint) n
"""
_YEAR = """
insert into public.chatwoot_widget_daily (organization_id, day, event_type, page_group, device_class, load_ms, events)
select s, $2::date - 1 - d, t, p, v, case when t = 'widget_loaded' then l else 0 end, 10
from unnest($1::uuid[]) s, generate_series(0, 364) d,
  unnest(array['page_viewed', 'widget_loaded', 'widget_opened', 'message_sent', 'conversation_started']) t,
  unnest(array['home', 'product', 'category', 'cart', 'other']) p,
  unnest(array['mobile', 'desktop', 'tablet']) v, unnest(array[320, 448, 640, 896, 1280, 1792]) l
where t = 'widget_loaded' or l = 320
"""
_OF_STORE = "select * from public.chatwoot_widget_events where organization_id = $1 and created_at >= $2"
_QUERIES = {
    "store_and_time": f"{_OF_STORE} order by created_at desc limit 100",
    "type_and_time": f"{_OF_STORE} and event_type = 'widget_opened' order by created_at desc limit 100",
    "user_and_time": f"{_OF_STORE} and user_id = $3 order by created_at desc limit 100",
}
_USER = uuid.UUID(int=7)


async def measure(rows: int, rounds: int) -> dict[str, Any]:
    """With so many rows, and with more of them."""
    async with open_stack() as (stack, folder):
        await migrate(stack.database_url)
        admin = await asyncpg.connect(stack.database_url)
        stores = [await attached(admin, number) for number in range(STORES)]
        pool, now = open_pool(stack.database_url, SERVICE), datetime.now(UTC)
        costs: dict[int, dict[str, float]] = {}
        blocks: dict[int, dict[str, int]] = {}
        filled, apart = 0, _SPAN / (_GROWN[-1] * rows)
        for times in _GROWN:
            wanted = rows * times
            if (wanted - filled) * _BYTES_A_ROW > shutil.disk_usage(folder).free:
                print(f"{wanted} rows: left out, the disk has no room for them")
                break
            await admin.execute(_FILL, stores, now, _USER, filled + 1, wanted, apart, timeout=7_200)
            await admin.execute("vacuum analyze public.chatwoot_widget_events", timeout=7_200)
            filled = wanted
            costs[times] = await _cost(pool, stores, now, rounds)
            blocks[times] = await _blocks(pool, stores[0], now)
            print(f"{wanted} rows: seconds {costs[times]}, blocks {blocks[times]}", flush=True)
        await admin.execute(_YEAR, stores, now.date(), timeout=3_600)
        await admin.execute("vacuum analyze public.chatwoot_widget_daily", timeout=3_600)
        year = await _year(pool, stores[0], now)
        await pool.close()
        await admin.close()
    ratios = {
        f"{name}_grown_{times}": round(found[name] / costs[1][name], 2)
        for times, found in costs.items()
        for name in found
        if times > 1
    }
    print(f"of the first: {ratios}, a year's report: {year * 1000:.0f} ms")
    by_size = {str(rows * times): {"seconds": costs[times], "blocks": blocks[times]} for times in costs}
    figures = {"rows": filled, "year_report_seconds": year, "by_size": by_size}
    return {"name": "widget_growth", "ratios": ratios, "figures": figures}


async def _cost(pool: Pool, stores: Sequence[uuid.UUID], now: datetime, rounds: int) -> dict[str, float]:
    """Seconds of an insert of a batch of posts, and of each query."""
    inserts, asked = [], {name: list[float]() for name in _QUERIES}
    for number in range(rounds):
        posts = Posts(uuid.uuid4().int, stores, now - _ASKED)  # where no query looks, so that each finds the same rows
        read = [post for record, _ in posts.records(2_000) if (post := events.read(record))]
        began = time.perf_counter()
        async with scoped(pool, stores) as conn:
            await handlers.keep(conn, read)
        inserts.append(time.perf_counter() - began)
        async with scoped(pool, {stores[number % STORES]}) as conn:
            # Each is planned when it is asked, as people ask. Else PostgreSQL takes one plan for all where a table is
            # small, and a query of half a millisecond without its planning takes half as long.
            await conn.execute("set local plan_cache_mode = force_custom_plan")
            for name, query in _QUERIES.items():
                arguments = _arguments(query, stores[number % STORES], now)
                began = time.perf_counter()
                await conn.fetch(query, *arguments)
                asked[name].append(time.perf_counter() - began)
    return {"insert": statistics.median(inserts)} | {name: statistics.median(found) for name, found in asked.items()}


async def _blocks(pool: Pool, store: uuid.UUID, now: datetime) -> dict[str, int]:
    """Each query's, in memory or not."""
    found: dict[str, int] = {}
    async with scoped(pool, {store}) as conn:
        for name, query in _QUERIES.items():
            arguments = _arguments(query, store, now)
            (answer,) = await conn.fetchval(f"explain (analyze, buffers, format json) {query}", *arguments)
            found[name] = answer["Plan"]["Shared Hit Blocks"] + answer["Plan"]["Shared Read Blocks"]
    return found


def _arguments(query: str, store: uuid.UUID, now: datetime) -> tuple[object, ...]:
    return store, now - _ASKED, *([_USER] if "$3" in query else [])


async def _year(pool: Pool, store: uuid.UUID, now: datetime) -> float:
    times = []
    for _ in range(_YEAR_TIMES):
        began = time.perf_counter()
        async with scoped(pool, {store}) as conn:
            answer = await use(conn, store, "shop", "days", Span("364d"), now=now)
        times.append(time.perf_counter() - began)
        assert len(answer.groups) >= 364
    return round(statistics.median(times), 4)


if __name__ == "__main__":
    command(measure, "widget events as their table grows", amount="rows", default=1_000_000, rounds=_TIMES)
