"""The report verbs as a person or a script calls them, on a store with the recorded webhooks."""

import asyncio
import csv
import io
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import orjson
import pytest
from typer.testing import CliRunner

from db.pool import SERVICE, open_pool, use_json
from db.reporting import conversations
from services.conversations import repository
from services.conversations.cli import explains
from services.conversations.reports.cli import report
from services.kernel import Refusal
from tests.databases import copied_database
from tests.recordings.recorded import account_webhooks, reports
from tests.services.conversations import bench

RUN = "chatwoot-4.13.0-bots"
_ALL_WAIT = "update wootstream.conversations set status = 'open', waiting_since = now() where organization_id = $1"


@pytest.fixture
async def shop(migrated: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[bench.Shop]:
    """A store of the recorded run, where the verbs look for it: a database of its own, for an answer says how far the
    whole installation has read."""
    async with (
        copied_database(migrated) as url,
        asyncpg.create_pool(url, min_size=0, max_size=4, init=use_json) as admin,
    ):
        monkeypatch.setenv("DATABASE_URL", url)
        pool = open_pool(url, SERVICE)
        shops = await bench.install(admin, RUN)
        await bench.apply(pool, bench.records(account_webhooks(RUN), shops))
        await pool.close()
        yield shops["meise-sued"]


async def call(app: object, *arguments: str) -> str:
    """Run a verb; answers what it printed."""
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments)  # type: ignore[arg-type]
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


async def test_report_of_a_store_as_json_has_chatwoots_keys_and_numbers(shop: bench.Shop) -> None:
    answers = reports(RUN)
    since, until = (str(answers[name]) for name in ("since", "until"))
    wanted = answers["stores"]["meise-sued"]["reports.summary?type=account"]

    span = ("--since", bench.iso(int(since)), "--until", bench.iso(int(until)))
    answer = orjson.loads(await call(report, "--store", bench.slug(shop.id), *span, "--json"))

    assert wanted.keys() <= answer.keys()
    assert answer["resolutions_count"] == wanted["resolutions_count"]
    assert [answer[end] for end in ("since", "until")] == [
        datetime.fromtimestamp(int(end), UTC).isoformat().replace("+00:00", "Z") for end in (since, until)
    ]
    assert answer["completeness"] == {
        "complete_to": None,
        "records_behind": 0,
        "lost_changes": 0,
        "imported": 0,
        "approximate": 0,
        "unknown_openers": 0,
        "not_reckoned": 0,
        "not_applied": answer["completeness"]["not_applied"],
    }


@pytest.mark.parametrize("by", ["summary", "agents", "inboxes", "teams", "days"])
async def test_each_report_counts_every_conversation_of_the_span(by: str, shop: bench.Shop) -> None:
    printed = await call(
        report, by, "--store", bench.slug(shop.id), "--since", "2026-11-01", "--until", "2026-12-01", "--csv"
    )
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert sum(int(row["conversations"]) for row in rows) == 12


@pytest.mark.parametrize("by", ["summary", "days"])
async def test_a_table_says_of_which_span_it_is_also_where_nothing_is_in_it(by: str, shop: bench.Shop) -> None:
    printed = await call(report, by, "--store", bench.slug(shop.id), "--since", "2026-01-01", "--until", "2026-01-02")
    assert "from 2026-01-01 00:00:00 to 2026-01-02 00:00:00 Europe/Amsterdam; times in seconds" in printed


async def test_report_of_all_stores_as_json_is_by_their_names(shop: bench.Shop) -> None:
    span = ("--since", "2026-11-01", "--until", "2026-12-01")
    answer = orjson.loads(await call(report, "inboxes", *span, "--json"))
    ratings = [group["satisfaction"]["ratings"] for group in answer[bench.slug(shop.id)]["groups"]]
    assert sum(sum(counts.values()) for counts in ratings) == 7


async def test_waiting_links_into_chatwoot_longest_first(shop: bench.Shop) -> None:
    answer = orjson.loads(await call(report, "waiting", "--store", bench.slug(shop.id), "--json"))["waiting"]
    assert answer
    assert answer == sorted(answer, key=lambda one: str(one["waiting_since"]))
    assert all(f"/app/accounts/{shop.account}/conversations/{one['conversation_id']}" in one["url"] for one in answer)


async def test_a_list_of_who_waits_that_is_cut_says_how_many_there_are(shop: bench.Shop) -> None:
    store = bench.slug(shop.id)
    conn = await asyncpg.connect(os.environ["DATABASE_URL"])
    await conn.execute(_ALL_WAIT, shop.id)
    await conn.close()
    whole = orjson.loads(await call(report, "waiting", "--store", store, "--json"))
    assert whole["waiting_count"] == len(whole["waiting"]) > 1
    cut = orjson.loads(await call(report, "waiting", "--store", store, "--limit", "1", "--json"))
    assert (len(cut["waiting"]), cut["waiting_count"]) == (1, whole["waiting_count"])
    printed = await call(report, "waiting", "--store", store, "--limit", "1")
    assert f"{store}: the longest 1 of {whole['waiting_count']} who wait, more with --limit" in printed
    assert "more with" not in await call(report, "waiting", "--store", store)


async def test_explanation_names_the_facts_of_each_reporting_event(shop: bench.Shop) -> None:
    """Recorded: the bot resolved it after 6 s, a person answered 19 s after that and resolved it at 38 s."""
    steps = orjson.loads(await call(explains, "conversation", bench.slug(shop.id), "6", "--json"))
    made = [line.split(",")[0] for step in steps for line in step["made"]]
    assert made == [
        "conversation_resolved: 6 s",
        "conversation_bot_resolved: 6 s",
        "first_response: 19 s",
        "conversation_resolved: 38 s",
    ]


async def test_explanation_says_since_when_a_conversation_that_is_too_long_stands_still(
    shop: bench.Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = bench.slug(shop.id)
    conn = await asyncpg.connect(os.environ["DATABASE_URL"])
    await conversations.put_off(conn, [(shop.id, 6)])
    await conn.close()
    steps = orjson.loads(await call(explains, "conversation", store, "6", "--json"))
    assert steps[-1]["fact"].startswith("too long to be reckoned")

    monkeypatch.setattr(repository, "MOST_AT_ONCE", 1)
    with pytest.raises(Refusal, match="conversation 6 has more than"):
        await call(explains, "conversation", store, "6")


async def test_unknown_store_is_named_with_those_that_are_known(shop: bench.Shop) -> None:
    with pytest.raises(Refusal, match="there is no store 'nowhere'"):
        await call(report, "summary", "--store", "nowhere")


@pytest.mark.usefixtures("shop")
async def test_comparison_fails_where_a_store_cannot_be_compared() -> None:
    told = await asyncio.to_thread(CliRunner().invoke, report, ["compare", "--all-stores", "--json"])

    faults = [one["fault"] for one in orjson.loads(told.stdout).values()]
    assert told.exit_code == 1
    assert len(faults) > 1
    assert set(faults) == {"this store was attached without an API token"}
