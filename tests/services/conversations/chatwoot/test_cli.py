"""The verbs that ask Chatwoot, against a recorded account behind a real HTTP server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import orjson
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from db.pool import Pool, scoped
from services.conversations.chatwoot.import_history import import_
from services.conversations.reports.cli import report
from services.kernel import Process, Refusal, Settings
from tests.eventually import eventually
from tests.recordings.recorded import account_webhooks, reports, rows
from tests.services.conversations import bench
from tests.services.conversations.asked_api import give_token
from tests.services.conversations.recorded_api import RecordedApi
from tests.services.conversations.reports.test_api import BEARER, TOKEN, asked
from tests.services.conversations.reports.test_cli import call

RUN = "chatwoot-3.16.0"


@asynccontextmanager
async def served(api: RecordedApi) -> AsyncIterator[str]:
    """Its address."""

    async def endpoint(request: Request) -> Response:
        theirs = api.answer(httpx.Request(request.method, str(request.url), headers=request.headers.raw))
        return Response(theirs.content, theirs.status_code, media_type="application/json")

    app = Starlette(routes=[Route("/{path:path}", endpoint)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


@pytest.fixture
async def api(
    settings: Settings, database_url: str, kafka: str, topics: list[str], monkeypatch: pytest.MonkeyPatch
) -> RecordedApi:
    """An account to be asked; the environment leads the verbs to this session's installation."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("WOOTSTREAM_DATA_DIRECTORY", str(settings.data_directory))
    return RecordedApi(RUN)


async def attached(pool: Pool, admin: Pool, settings: Settings, address: str) -> bench.Shop:
    """A store with the recorded webhooks, whose API is at this address."""
    shop = (await bench.install(admin, RUN))["kleiber-nord"]
    given = [one for one in account_webhooks(RUN) if one.store == "kleiber-nord"]
    await bench.apply(pool, bench.records(given, {"kleiber-nord": shop}))
    process = Process(settings)
    await give_token(admin, process, shop.id)
    await process.chatwoot.close()
    async with admin.acquire() as conn:
        await conn.execute(
            "update public.chatwoot_accounts set chatwoot_base_url = $2 where organization_id = $1", shop.id, address
        )
    return shop


async def test_comparison_names_each_of_chatwoots_figures_beside_ours(
    api: RecordedApi, pool: Pool, admin_pool: Pool, settings: Settings
) -> None:
    since, until = (bench.iso(reports(RUN)[name]) for name in ("since", "until"))
    async with served(api) as address:
        shop = await attached(pool, admin_pool, settings, address)
        span = ("--store", bench.slug(shop.id), "--since", since, "--until", until)
        comparison = orjson.loads(await call(report, "compare", *span, "--json"))
    wanted = reports(RUN)["stores"]["kleiber-nord"]["reports.summary?type=account"]
    assert {one["key"]: one["chatwoots"] for one in comparison["figures"]} == {
        key: value for key, value in wanted.items() if key != "previous"
    }
    assert comparison["equal"]


async def test_comparison_over_http_is_the_verbs(
    api: RecordedApi, pool: Pool, admin_pool: Pool, settings: Settings
) -> None:
    since, until = (bench.iso(reports(RUN)[name]) for name in ("since", "until"))
    async with served(api) as address:
        shop = await attached(pool, admin_pool, settings, address)
        name = bench.slug(shop.id)
        printed = await call(report, "compare", "--store", name, "--since", since, "--until", until, "--json")
        path = f"/api/stores/{name}/reports/compare"
        async for client in asked(settings, api_token=TOKEN):
            answer = await client.get(path, params={"since": since, "until": until}, headers=BEARER)
            api.fault = httpx.Response(401, json={"error": "Invalid Access Token"})
            refused = await client.get(path, headers=BEARER)
    assert answer.json() == orjson.loads(printed)
    assert (refused.status_code, "401" in refused.json()["error"]) == (502, True)


async def test_history_is_imported_once_by_the_verb(
    api: RecordedApi, pool: Pool, admin_pool: Pool, settings: Settings
) -> None:
    """Every conversation of the account; the same command again has nothing to do."""
    async with served(api) as address:
        shop = await attached(pool, admin_pool, settings, address)
        printed = [await call(import_, "history", "--store", bench.slug(shop.id)) for _ in range(2)]
    held = len(rows(RUN, "conversations", shop.account))
    assert [line.split(": ")[1] for line in printed] == [f"{held} conversations read\n", "0 conversations read\n"]
    async with scoped(pool, {shop.id}) as conn:
        assert await conn.fetchval("select count(*) from wootstream.imported") == held


@pytest.mark.parametrize(("verb", "app"), [("compare", report), ("history", import_)])
async def test_refused_token_is_one_sentence_that_names_the_store(
    verb: str, app: object, api: RecordedApi, pool: Pool, admin_pool: Pool, settings: Settings
) -> None:
    api.fault = httpx.Response(401, json={"error": "Invalid Access Token"})
    async with served(api) as address:
        shop = await attached(pool, admin_pool, settings, address)
        with pytest.raises(Refusal, match=f"{bench.slug(shop.id)}: Chatwoot answers 401"):
            await call(app, verb, "--store", bench.slug(shop.id))
