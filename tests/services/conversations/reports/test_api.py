"""Reports over HTTP: the command line's answers, for whoever bears the token."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jsonschema
import orjson
import pytest

from db.pool import PEOPLE, SERVICE, Pool
from services.control.people import membership
from services.control.people.membership import Role
from services.conversations.reports import api
from services.conversations.reports.cli import report
from services.conversations.reports.query import NAMES
from services.kernel import Process, Settings
from services.widget import api as widget
from tests.recordings.recorded import account_webhooks
from tests.services.attached import attach
from tests.services.conversations import bench
from tests.services.conversations.reports.test_cli import call

RUN = "chatwoot-4.13.0-bots"
TOKEN = "a-token-of-the-operator"
BEARER = {"authorization": f"Bearer {TOKEN}"}
SPAN = {"since": "2026-11-01", "until": "2026-12-01"}


@pytest.fixture
async def slug(pool: Pool, admin_pool: Pool) -> str:
    """A store with figures."""
    shops = await bench.install(admin_pool, RUN)
    await bench.apply(pool, bench.records(account_webhooks(RUN), shops))
    return bench.slug(shops["meise-nord"].id)


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async for client in asked(settings, api_token=TOKEN):
        yield client


async def asked(settings: Settings, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A process that answers reports."""
    process = Process(Settings.model_validate(settings.model_dump() | more))
    api.add_to(process)
    widget.add_to(process)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(process.site), base_url="http://reports") as client:
        yield client
    await process.chatwoot.close()
    for role in (SERVICE, PEOPLE):
        await process.pool(role).close()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "waiting"])
async def test_report_over_http_is_the_command_lines_json(
    name: str, slug: str, client: httpx.AsyncClient, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    options = [part for key, value in SPAN.items() for part in (f"--{key}", value)]
    printed = await call(report, name, "--store", slug, *options, "--json")

    answer = await client.get(f"/api/stores/{slug}/reports/{name}", params=SPAN, headers=BEARER)

    assert answer.status_code == 200
    assert answer.json() == orjson.loads(printed)


async def described(settings: Settings) -> dict[str, Any]:
    """The description of a process that answers reports."""
    process = Process(Settings.model_validate(settings.model_dump() | {"api_token": TOKEN}))
    api.add_to(process)
    widget.add_to(process)
    await process.close()
    return process.operations.description("test")


@pytest.mark.parametrize("name", [*NAMES, "widget/total", "widget/days"])
async def test_a_report_is_as_the_description_says(
    name: str, settings: Settings, slug: str, client: httpx.AsyncClient
) -> None:
    document = await described(settings)
    step = "widget/{by}" if name.startswith("widget") else "{name}"
    for path, asked in ((f"/api/stores/{{store}}/reports/{step}", f"/api/stores/{slug}/reports/{name}"),
                        (f"/api/reports/{step}", f"/api/reports/{name}")):  # fmt: skip
        schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        answer = (await client.get(asked, headers=BEARER)).json()

        jsonschema.validate(answer, schema | {"components": document["components"]})
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"made": "up"}, schema | {"components": document["components"]})


async def test_every_refusal_of_a_report_is_in_the_description(
    settings: Settings, slug: str, client: httpx.AsyncClient
) -> None:
    paths = (await described(settings))["paths"]
    asked = {
        "/api/stores/{store}/reports/{name}": (
            "/api/stores/nobody/reports/summary",
            f"/api/stores/{slug}/reports/none",
        ),
        "/api/reports/{name}": ("/api/reports/none", "/api/reports/compare", "/api/reports/summary?since=x"),
        "/api/stores/{store}/reports/widget/{by}": ("/api/stores/nobody/reports/widget/days",),
        "/api/reports/widget/{by}": ("/api/reports/widget/weeks",),
    }
    for path, requests in asked.items():
        for one in requests:
            status = (await client.get(one, headers=BEARER)).status_code
            assert str(status) in paths[path]["get"]["responses"], (one, status)


async def test_report_of_every_store_is_by_their_names(slug: str, client: httpx.AsyncClient) -> None:
    answers = (await client.get("/api/reports/summary", params=SPAN, headers=BEARER)).json()
    alone = (await client.get(f"/api/stores/{slug}/reports/summary", params=SPAN, headers=BEARER)).json()
    assert answers[slug] == alone
    assert alone["conversations_count"] == 12
    assert "summary" in (await client.get("/api/reports", headers=BEARER)).json()["reports"]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}])
async def test_who_bears_no_token_learns_nothing(headers: dict[str, str], slug: str, client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/api/stores/{slug}/reports/summary", headers=headers)
    assert (answer.status_code, list(answer.json())) == (401, ["error"])


@pytest.mark.parametrize(("role", "widget"), [("staff", 404), ("manager", 200)])
async def test_a_person_reads_the_reports_of_their_stores_and_hears_of_no_other(
    role: Role, widget: int, slug: str, client: httpx.AsyncClient, pool: Pool, admin_pool: Pool
) -> None:
    other = (await attach(admin_pool)).hex[:12]
    email = f"{uuid.uuid4().hex}@shop.example"
    await membership.add(pool, slug, email, role)
    until = datetime.now(UTC) + timedelta(days=1)
    number, token = await membership.add_token(pool, email, "laptop", scopes=["read"], expires_at=until)
    headers = {"authorization": f"Bearer {token}"}

    mine = await client.get(f"/api/stores/{slug}/reports/summary", params=SPAN, headers=headers)
    every = await client.get("/api/reports/summary", params=SPAN, headers=headers)
    operators = await client.get(f"/api/stores/{slug}/reports/summary", params=SPAN, headers=BEARER)
    foreign = await client.get(f"/api/stores/shop-{other}/reports/summary", headers=headers)
    compared = await client.get(f"/api/stores/{slug}/reports/compare", headers=headers)
    of_the_widget = await client.get(f"/api/stores/{slug}/reports/widget/days", headers=headers)

    assert (mine.json(), every.json()) == (operators.json(), {slug: operators.json()})
    assert foreign.status_code == 404
    assert foreign.json()["error"].endswith(f"there are: {slug}")
    assert (compared.status_code, of_the_widget.status_code) == (403, widget)
    assert number
    await membership.add(pool, f"shop-{other}", email, role)
    await membership.remove(pool, slug, email)
    assert (await client.get("/api/reports/summary", headers=headers)).json().keys() == {f"shop-{other}"}
    await membership.remove(pool, f"shop-{other}", email)  # the last one: with their address their tokens go
    assert (await client.get("/api/reports/summary", headers=headers)).status_code == 401


async def test_installation_without_a_token_has_no_reports_over_http(settings: Settings, slug: str) -> None:
    async for client in asked(settings):
        answer = await client.get(f"/api/stores/{slug}/reports/summary", headers=BEARER)
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/api/stores/nowhere/reports/summary", {}, 404),
        ("/api/stores/{slug}/reports/everything", {}, 404),
        ("/api/stores/%ff%00/reports/%ff%00", {}, 404),
        ("/api/stores/{slug}/reports/days", {"since": "1d", "until": "2d"}, 400),
    ],
)
async def test_question_that_cannot_be_answered_gets_a_sentence(
    path: str, query: dict[str, str], status: int, slug: str, client: httpx.AsyncClient
) -> None:
    answer = await client.get(path.format(slug=slug), params=query, headers=BEARER)
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize("name", ["summary", "days", "compare"])
@pytest.mark.parametrize("field", ["since", "until"])
async def test_report_of_a_time_that_no_calendar_of_ours_has_is_refused_with_the_field(
    name: str, field: str, slug: str, client: httpx.AsyncClient
) -> None:
    for text in (
        "yesterday",
        "0001-01-01",
        "1969-12-31",
        "9999-12-31T23:59",
        "2200-06-01",
        "9" * 5_000 + "d",
        "999999999w",
        "²d",
    ):
        answer = await client.get(f"/api/stores/{slug}/reports/{name}", params={field: text}, headers=BEARER)
        assert (answer.status_code, answer.json()["error"].split()[0]) == (400, field), text


async def test_report_of_a_limit_that_is_none_is_refused_with_the_field(slug: str, client: httpx.AsyncClient) -> None:
    for limit in ("-1", "0", "1001", "9" * 5_000, "²", ""):
        answer = await client.get(f"/api/stores/{slug}/reports/waiting", params={"limit": limit}, headers=BEARER)
        assert (answer.status_code, answer.json()["error"].split()[0]) == (400, "limit"), limit


async def test_report_without_a_database_says_that_it_does_not_answer(settings: Settings) -> None:
    async for client in asked(settings, api_token=TOKEN, database_url="postgresql://nobody@127.0.0.1:1/none"):
        answer = await client.get("/api/reports/summary", headers=BEARER)
        assert answer.status_code == 503
        assert "does not answer" in answer.json()["error"]


@pytest.mark.parametrize("path", ["summary", "days", "waiting", "compare"])
async def test_a_word_that_a_report_does_not_know_is_refused_and_not_passed_over(
    path: str, slug: str, client: httpx.AsyncClient
) -> None:
    """Passed over, `from=2026-01-01` would be answered with the last week's figures."""
    answer = await client.get(
        f"/api/stores/{slug}/reports/{path}", params={"from": "2026-01-01", "since": "1d"}, headers=BEARER
    )
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("from: this report takes since, until")
