"""Our summary beside Chatwoot's own, as its recorded API answers."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from db.pool import Pool, scoped
from schemas.reports import Completeness, ReportSummary, Totals
from services.conversations.chatwoot.account_reader import reader_of
from services.conversations.reports.comparison import compare, compare_each, differences
from services.kernel import Process, Settings
from tests.recordings.parity import DELETED
from tests.recordings.recorded import RUNS, account_webhooks, reports
from tests.services.conversations import bench
from tests.services.conversations.asked_api import answered_by, give_token
from tests.services.conversations.recorded_api import RecordedApi

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
SPAN = {"since": NOON.replace(hour=1), "until": NOON.replace(hour=13), "timezone": "UTC"}


@pytest.fixture
async def process(settings: Settings) -> AsyncIterator[Process]:
    process = Process(settings)
    yield process
    await process.chatwoot.close()
    await process.pool().close()


@pytest.mark.parametrize("run", RUNS)
async def test_only_deleted_conversations_differ_from_chatwoots_report(
    run: str, process: Process, pool: Pool, admin_pool: Pool
) -> None:
    """A store attached before its recording; one conversation of all was deleted, and that is the reason given."""
    shops = await bench.install(admin_pool, run)
    await bench.apply(pool, bench.records(account_webhooks(run), shops))
    await answered_by(process, RecordedApi(run).transport)
    since, until = (datetime.fromtimestamp(reports(run)[name], UTC) for name in ("since", "until"))
    for shop in shops.values():
        await give_token(admin_pool, process, shop.id)
        async with admin_pool.acquire() as conn:
            await conn.execute(_ATTACHED, shop.id, since)
        async with scoped(pool, {shop.id}) as conn:
            account = await reader_of(conn, process, shop.id)

        comparison = await compare(process.pool(), account, since=since, until=until)

        deleted = [one for one in comparison.figures if one.reason]
        assert [one.key for one in deleted] == ["conversations_count"] * ((run, shop.account) in DELETED)
        assert all("deleted in Chatwoot" in (one.reason or "") for one in deleted)
        assert comparison.equal == (not deleted)


@pytest.mark.parametrize(
    ("key", "ours", "chatwoots", "state", "attached_later", "reason"),
    [
        ("conversations_count", 5, 9, {}, True, "attached within the span"),
        ("conversations_count", 5, 9, {"records_behind": 3}, False, "3 records are still to be applied"),
        ("incoming_messages_count", 5, 9, {"complete_to": NOON}, False, "complete to 2026-11-01 12:00:00"),
        ("incoming_messages_count", 5, 9, {}, False, "lost before they reached us"),
        ("resolutions_count", 5, 6, {"lost_changes": 1}, False, "1 status changes were lost"),
        ("avg_resolution_time", 5.0, 60.0, {"approximate": 2}, False, "moments are approximate"),
        ("avg_first_response_time", 5.0, 60.0, {"not_applied": ("inbox Shop: …",)}, False, "inbox Shop"),
        ("reply_time", 5.0, 60.0, {}, False, "close to the span's ends"),
    ],
)
def test_difference_is_told_with_its_likely_reason(
    key: str, ours: float, chatwoots: float, state: dict[str, object], attached_later: bool, reason: str
) -> None:
    mine = ReportSummary.model_validate({key: ours, **SPAN, "completeness": Completeness.model_validate(state)})
    theirs = Totals.model_validate({key: chatwoots})
    rows = differences(mine, theirs, until=NOON.replace(hour=13), attached_later=attached_later, release="4.13.0")
    assert [(one.key, reason in (one.reason or "")) for one in rows if one.reason] == [(key, True)]


_ATTACHED = "update public.chatwoot_accounts set created_at = $2 where organization_id = $1"


async def test_store_whose_api_does_not_tell_costs_the_others_nothing(
    process: Process, pool: Pool, admin_pool: Pool
) -> None:
    """Of two stores one was attached without a token: its line says so, the other is compared."""
    run = RUNS[2]
    shops = await bench.install(admin_pool, run)
    await answered_by(process, RecordedApi(run).transport)
    await give_token(admin_pool, process, shops["kleiber-nord"].id)

    comparisons = await compare_each(process, {name: shop.id for name, shop in shops.items()}, since="4w", until="0m")

    assert comparisons["kleiber-nord"].fault is None
    assert comparisons["kleiber-sued"].fault == "this store was attached without an API token"
    assert not comparisons["kleiber-sued"].equal
