"""What only the API tells, against recorded accounts: read when it is due, its bots followed by the figures."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest

from db.pool import Pool, scoped
from db.reporting import account_details as table
from services.conversations import handlers
from services.conversations.chatwoot.account_details import AccountDetails
from services.conversations.reports.reports import by_group, summary
from services.conversations.store_rules import known_stores
from services.kernel import Process, Settings
from tests.recordings.recorded import account_webhooks, reports
from tests.recordings.test_figures_equal_chatwoot import reckoned
from tests.services.conversations import bench
from tests.services.conversations.asked_api import answered_by, give_token
from tests.services.conversations.recorded_api import RecordedApi
from tests.unit.kernel.test_chatwoot import Hand

RUN = "chatwoot-4.13.0-bots"
STORE = "meise-nord"
_ROWS = "select chatwoot_conversation_id, inbox_name from public.chatwoot_conversations where organization_id = $1"
_NAMED = "update public.chatwoot_accounts set release = '3.16.0' where organization_id = $1"


class Repeating(RecordedApi):
    """Names everybody twice."""

    def _told(self, account: int, path: str, query: httpx.QueryParams) -> Any:
        names = super()._told(account, path, query)
        if path == "inboxes":
            return {"payload": names["payload"] * 2}
        return names * 2 if path in ("agents", "teams") else names


SPAN = tuple(datetime.fromtimestamp(reports(RUN)[name], UTC) for name in ("since", "until"))


@pytest.fixture
async def process(settings: Settings) -> AsyncIterator[Process]:
    """One whose clock moves by hand."""
    process = Process(settings, Hand())
    yield process
    await process.chatwoot.close()
    await process.pool().close()


async def listening(pool: Pool, admin: Pool, process: Process, api: RecordedApi, store: str = STORE) -> bench.Shop:
    """A store that heard its webhooks, was told of no bot, and may ask the API."""
    shop = (await bench.install(admin, api.run, told_of_bots=False))[store]
    given = [one for one in account_webhooks(api.run) if one.store == store]
    await bench.apply(pool, bench.records(given, {store: shop}))
    await give_token(admin, process, shop.id)
    await answered_by(process, api.transport)
    return shop


async def turn(process: Process) -> None:
    """All that is due, of other tests' stores, too."""
    while await AccountDetails(process).turn():
        pass


async def test_figures_of_an_inbox_follow_when_the_api_tells_of_its_bot(
    pool: Pool, admin_pool: Pool, process: Process
) -> None:
    """Its bot was set after the conversations: only then they count as resolved by a bot, as if told from the start."""
    api = RecordedApi(RUN)
    shop = await listening(pool, admin_pool, process, api)
    orders = next(one for one in api.stores[shop.account]["api"].values() if isinstance(one, int))
    async with scoped(pool, {shop.id}) as conn:
        before = await bench.events_of(conn, shop.id)
    api.bots.add(orders)

    await turn(process)

    wanted = reckoned(RUN, account_webhooks(RUN), bots=api.bots)[STORE]
    async with scoped(pool, {shop.id}) as conn:
        after = await bench.events_of(conn, shop.id)
    assert after == {number: list(figure.events) for number, figure in wanted.items() if figure.events}
    assert after != before


async def test_reports_name_agents_and_teams_as_the_api_does(pool: Pool, admin_pool: Pool, process: Process) -> None:
    api = RecordedApi("chatwoot-4.13.0")
    shop = await listening(pool, admin_pool, process, api, "amsel-nord")

    await turn(process)

    agents, team = api.stores[shop.account]["agents"], api.stores[shop.account]["team"]
    begin, end = SPAN[0] - timedelta(days=1), SPAN[1]
    async with scoped(pool, {shop.id}) as conn:
        reports = [await by_group(conn, shop.id, by, since=begin, until=end) for by in ("agents", "teams")]
    people, teams = ({group.id: group.name for group in report.groups} for report in reports)
    assert people.items() >= {str(one["id"]): f"Agent {one['id']}" for one in agents}.items()
    assert teams[str(team)] == "support"


async def test_report_says_which_rule_waits_for_an_api_that_does_not_tell(
    pool: Pool, admin_pool: Pool, process: Process
) -> None:
    """A token that was revoked: the figures are there with the reason beside them, until it tells."""
    api = RecordedApi(RUN, fault=httpx.Response(401, json={"error": "Invalid Access Token"}))
    shop = await listening(pool, admin_pool, process, api)
    await turn(process)
    async with scoped(pool, {shop.id}) as conn:
        refused = (await summary(conn, shop.id, since=SPAN[0], until=SPAN[1])).completeness.not_applied

    api.fault = None
    process.clock.seconds += 601  # type: ignore[attr-defined]
    await turn(process)

    async with scoped(pool, {shop.id}) as conn:
        unknown = (await summary(conn, shop.id, since=SPAN[0], until=SPAN[1])).completeness.not_applied
    assert [rule.split(":")[0] for rule in refused] == ["inbox Shop", "inbox Orders"]
    assert all("Chatwoot answers 401" in rule for rule in refused)
    assert unknown == ()


async def test_a_row_is_named_also_by_a_webhook_that_comes_after_its_conversations_last(
    pool: Pool, admin_pool: Pool, process: Process
) -> None:
    """Not every webhook says what its inbox is called: whether a row had a name depended on what came in one batch."""
    given = [one for one in account_webhooks(RUN) if one.store == STORE]
    unnamed = next(one for one in given if one.event == "conversation_created")
    inbox = orjson.loads(unnamed.body)["inbox_id"]
    naming = next(one for one in given if orjson.loads(one.body).get("inbox", {}).get("id") == inbox)
    named = []
    for size in (1, 2):
        shop = (await bench.install(admin_pool, RUN))[STORE]
        await bench.apply(pool, bench.records([unnamed, naming], {STORE: shop}), batch=size)
        await turn(process)
        async with scoped(pool, {shop.id}) as conn:
            named.append(
                {row["chatwoot_conversation_id"]: row["inbox_name"] for row in await conn.fetch(_ROWS, shop.id)}
            )
    assert named[0] == named[1]
    assert len(named[0]) > 1
    assert all(named[0].values())


async def test_api_is_asked_once_a_day_and_when_a_webhook_names_somebody_unknown(
    pool: Pool, admin_pool: Pool, process: Process
) -> None:
    """Somebody whom the API does not know either is asked for once."""
    api = RecordedApi(RUN)
    shop = await listening(pool, admin_pool, process, api)
    asked: list[int] = []
    for seconds in (0, 3_600, 86_400, 3_600, 3_600):
        process.clock.seconds += seconds  # type: ignore[attr-defined]
        if len(asked) == 3:
            async with scoped(pool, {shop.id}) as conn:
                await table.note(conn, {(shop.id, "agent", 999)})
        api.calls.clear()
        await turn(process)
        asked.append(sum(call.startswith(shop.id.hex) and call.endswith("/inboxes") for call in api.calls))
    assert asked == [1, 0, 1, 1, 0]


async def test_first_release_told_holds_for_all_before_and_another_from_then_on(
    pool: Pool, admin_pool: Pool, process: Process
) -> None:
    """The operator said 3.16, Chatwoot says 4.13: its rules hold from the beginning, until it says 3.16."""
    api = RecordedApi(RUN)
    shop = await listening(pool, admin_pool, process, api)
    async with admin_pool.acquire() as conn:
        await conn.execute(_NAMED, shop.id)
    await turn(process)
    api.release = "3.16.0"
    process.clock.seconds += 90_000  # type: ignore[attr-defined]
    await turn(process)
    later = process.clock.now()

    async with scoped(pool, {shop.id}) as conn:
        events = await bench.events_of(conn, shop.id)
        store = (await known_stores(conn, ()))[shop.id]
    wanted = reckoned(RUN, account_webhooks(RUN))[STORE]
    assert events == {number: list(figure.events) for number, figure in wanted.items() if figure.events}
    opened = [store.rules(14).at(moment).openings_count for moment in (SPAN[0] - timedelta(days=99), later)]
    assert opened == [True, False]


async def test_a_chatwoot_that_names_somebody_twice_is_read_all_the_same(
    pool: Pool, admin_pool: Pool, process: Process
) -> None:
    """PostgreSQL would refuse two rows of one key, by a code that means a fault of our deployment."""
    shop = await listening(pool, admin_pool, process, Repeating(RUN))

    await turn(process)

    async with scoped(pool, {shop.id}) as conn:
        assert await conn.fetchval("select fault from wootstream.directory_readings") is None
        assert await conn.fetchval("select count(name) from wootstream.directory where kind = 'agent'") > 0


async def test_a_store_whose_answers_raise_waits_with_the_reason_and_costs_no_other_its_turn(
    pool: Pool, admin_pool: Pool, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await listening(pool, admin_pool, process, RecordedApi(RUN))
    put = table.put_inboxes

    async def raising(conn: Any, store: UUID, *rest: Any, **more: Any) -> None:
        if store == shop.id:
            raise OverflowError
        await put(conn, store, *rest, **more)

    with monkeypatch.context() as broken:
        broken.setattr(table, "put_inboxes", raising)
        await turn(process)
    async with scoped(pool, {shop.id}) as conn:
        unknown = (await summary(conn, shop.id, since=SPAN[0], until=SPAN[1])).completeness.not_applied
    assert unknown
    assert all("OverflowError" in rule for rule in unknown)


async def test_a_conversation_that_cannot_be_reckoned_again_keeps_its_figures_and_holds_up_no_other(
    pool: Pool, admin_pool: Pool, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = RecordedApi(RUN)
    shop = await listening(pool, admin_pool, process, api)
    api.bots.add(next(one for one in api.stores[shop.account]["api"].values() if isinstance(one, int)))
    wanted = reckoned(RUN, account_webhooks(RUN), bots=api.bots)[STORE]
    async with scoped(pool, {shop.id}) as conn:
        before = await bench.events_of(conn, shop.id)
    odd = next(number for number in before if before[number] == list(wanted[number].events))
    again = handlers.reckon_again

    async def raising(conn: Any, keys: Any) -> None:
        if (shop.id, odd) in keys:
            raise TypeError
        await again(conn, keys)

    monkeypatch.setattr(handlers, "reckon_again", raising)
    await turn(process)
    async with scoped(pool, {shop.id}) as conn:
        after = await bench.events_of(conn, shop.id)
    assert after == {number: list(figure.events) for number, figure in wanted.items() if figure.events}
    assert after != before
