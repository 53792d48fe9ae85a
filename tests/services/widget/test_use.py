"""What the widget is worth, at the command line and over HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import orjson
import pytest

from db.pool import Pool, scoped
from db.widget import daily
from local.dashboards.pages import STORES
from services.kernel import Process, Refusal, Settings
from services.widget import api
from services.widget.report_cli import report
from services.widget.use import percentile
from tests.services.attached import attach
from tests.services.conversations.reports.test_cli import call
from tests.services.widget.test_handlers import event, keep, post

_NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
_TWO, _ONE = _NOON - timedelta(days=2), _NOON - timedelta(days=1)
_ORDER = "insert into wootstream.orders (organization_id, order_id, customer_id, placed_at) values ($1, 'o', 'c1', $2)"
TOKEN = "a-token-of-the-operator"
BEARER = {"authorization": f"Bearer {TOKEN}"}
SPAN = {"since": f"{_TWO:%F}", "until": f"{_ONE:%F}"}


@pytest.fixture
async def slug(pool: Pool, admin_pool: Pool) -> str:
    """A store with two days of events, and an order."""
    store = await attach(admin_pool, timezone="Europe/Amsterdam")
    home, cart = "https://a.example/", "https://a.example/cart"
    loads = [event(_TWO, page_url=home, load_time_ms=ms) for ms in (100, 200, 300, 3_000)]
    failed = event(_TWO, page_url=cart, event_data={"failed": True})
    opens = [event(at, event_type="widget_opened", page_url=home) for at in (_TWO, _TWO, _ONE)]
    started = event(_ONE, event_type="conversation_started", page_url=home, customer_id="c1")
    message = event(_ONE, event_type="message_sent", page_url=home, customer_id="c1")
    await keep(pool, [post(store, *loads, failed, *opens, started, message)])
    async with scoped(pool, {store}) as conn:
        await conn.execute(
            _ORDER,
            *(store, _NOON),
        )
        await daily.count_orders(conn, store, _ONE.date())
    return f"shop-{store.hex[:12]}"


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    process = Process(Settings.model_validate(settings.model_dump() | {"api_token": TOKEN}))
    api.add_to(process)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(process.site), base_url="http://reports") as client:
        yield client
    await process.close()


def _of(answer: dict[str, Any], name: str | None) -> dict[str, Any]:
    (found,) = [group for group in answer["groups"] if group["id"] == name]
    return dict(found)


async def test_the_report_says_what_the_widget_was_used_for(
    slug: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    options = ["--store", slug, *(part for key, value in SPAN.items() for part in (f"--{key}", value))]

    total = _of(orjson.loads(await call(report, *options, "--json")), None)
    days = orjson.loads(await call(report, "days", *options, "--json"))
    pages = orjson.loads(await call(report, "pages", *options, "--json"))

    assert total == {
        "id": None, "loads": 4, "load_failures": 1, "load_time_p50": 224, "load_time_p95": 3072, "opens": 3,
        "messages": 1,
        "conversations_started": 1, "followed_by_order": 1, "open_rate": 0.75, "conversion": 1 / 3, "order_rate": 1.0,
    }  # fmt: skip
    assert (_of(days, SPAN["since"])["opens"], _of(days, SPAN["until"])["opens"]) == (2, 1)
    assert (_of(pages, "home")["loads"], _of(pages, "cart")["load_failures"]) == (4, 1)
    assert "33.3%" in await call(report, *options)


async def test_a_page_of_grafana_shows_the_reports_figures_of_the_day_that_a_browser_anywhere_writes(
    slug: str, database_url: str, admin_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    days = orjson.loads(await call(report, "days", "--store", slug, "--since", SPAN["since"], "--json"))["groups"]
    between = f"day between '{SPAN['since']}T00:00:00Z' and '{SPAN['until']}T23:00:00Z'"  # as Grafana writes it
    shown: dict[str, dict[str, Any]] = {}
    async with admin_pool.acquire() as conn:
        for panel in STORES.panels:
            if panel.sql:
                asked = panel.asks.replace("$__timeFilter(day)", between).replace("$store", slug)
                shown[panel.title.rpartition(", ")[2]] = {
                    str(there): row["value"]
                    for row in await conn.fetch(asked)
                    for zone in ("America/Los_Angeles", "UTC", "Asia/Tokyo")
                    if (there := row["time"].astimezone(ZoneInfo(zone)).date())
                }

    assert {day: value or 0 for day, value in shown["loaded a day"].items()} == {
        one["id"]: one["loads"] for one in days
    }
    shares = shown["opened of a hundred loaded"]
    assert {day: share and float(share) / 100 for day, share in shares.items()} == {
        one["id"]: one["open_rate"] for one in days
    }


async def test_a_day_that_has_begun_in_sydney_alone_is_drawn_where_a_page_of_grafana_ends(
    slug: str, admin_pool: Pool
) -> None:
    panel = next(one for one in STORES.panels if one.sql)
    asked = panel.asks.replace("$__timeFilter(day)", "true").replace("$store", slug)
    begun = """
    update public.chatwoot_widget_daily set day = (now() at time zone 'UTC')::date + 1 where day = $1
    and organization_id = (select organization_id from public.chatwoot_accounts where slug = $2)
    """  # this store's alone: another's has days that are tomorrow already
    async with admin_pool.acquire() as conn:
        await conn.execute(begun, _TWO.date(), slug)
        drawn = max(row["time"] for row in await conn.fetch(asked))
        assert drawn <= await conn.fetchval("select now()")


@pytest.mark.parametrize("by", ["total", "days", "pages"])
async def test_over_http_it_is_the_command_lines_json(
    by: str, slug: str, client: httpx.AsyncClient, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    options = ["--store", slug, *(part for key, value in SPAN.items() for part in (f"--{key}", value)), "--json"]
    printed = orjson.loads(await call(report, *([] if by == "total" else [by]), *options))
    one = await client.get(f"/api/stores/{slug}/reports/widget/{by}", params=SPAN, headers=BEARER)
    every = await client.get(f"/api/reports/widget/{by}", params=SPAN, headers=BEARER)
    assert (one.status_code, one.json()) == (200, printed)
    assert every.json()[slug] == printed


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("weeks", {}, 404), ("days", {"since": "yesterday"}, 400), ("days", {"limit": "1"}, 400),
        ("days", {"since": "2026-11-02", "until": "2026-11-01"}, 400),
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_is_said(
    path: str, query: dict[str, str], status: int, slug: str, client: httpx.AsyncClient
) -> None:
    answer = await client.get(f"/api/stores/{slug}/reports/widget/{path}", params=query, headers=BEARER)
    assert (answer.status_code, bool(answer.json()["error"])) == (status, True)


async def test_it_is_for_the_bearer_of_the_token_and_of_known_stores(slug: str, client: httpx.AsyncClient) -> None:
    assert (await client.get(f"/api/stores/{slug}/reports/widget/days")).status_code == 401
    assert (await client.get("/api/stores/none/reports/widget/days", headers=BEARER)).status_code == 404


async def test_a_span_that_is_none_is_refused(slug: str, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    with pytest.raises(Refusal, match="is empty"):
        await call(report, "--store", slug, "--since", "1d", "--until", "2d")


def test_percentiles_are_read_from_steps() -> None:
    histogram = [(64, 50), (80, 45), (96, 5)]
    assert [percentile(histogram, share) for share in (0.5, 0.51, 0.95, 0.96)] == [64, 80, 80, 96]
    assert percentile([], 0.5) is None
