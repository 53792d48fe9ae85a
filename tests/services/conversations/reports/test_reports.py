"""Reports on real PostgreSQL, against the answers of Chatwoot's own reports for the same span."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from db.pool import Pool, scoped
from db.reporting import reports as table
from schemas.reports import Group, Totals
from services.conversations.reports.reports import By, by_group, summary
from services.kernel.cli.terminal import moment
from tests.recordings.parity import DELETED, TOLERANCE_SECONDS
from tests.recordings.recorded import RUNS, account_webhooks, disordered, reports
from tests.services.conversations import bench
from tests.services.conversations.dialogues import dialogue

ORDER = "17"  # shuffled by this seed, 30 % repeated
COUNTS = ("conversations_count", "incoming_messages_count", "outgoing_messages_count", "resolutions_count")
AVERAGES = ("avg_first_response_time", "avg_resolution_time", "reply_time")


@pytest.mark.parametrize("run", RUNS)
async def test_summary_equals_chatwoots_own_report(run: str, pool: Pool, admin_pool: Pool) -> None:
    """Counts exactly, averages within a second; a conversation deleted since is one that no webhook took back."""
    shops = await bench.install(admin_pool, run)
    await bench.apply(pool, bench.records(disordered(run, ORDER), shops))
    answers = reports(run)
    since, until = (datetime.fromtimestamp(answers[name], UTC) for name in ("since", "until"))

    for name, shop in shops.items():
        wanted = dict(answers["stores"][name]["reports.summary?type=account"])
        async with scoped(pool, {shop.id}) as conn:
            ours = await summary(conn, shop.id, since=since, until=until)
        wanted["conversations_count"] += len(DELETED.get((run, shop.account), ()))
        assert counts(ours) == {key: wanted[key] for key in COUNTS}
        for key in AVERAGES:
            assert getattr(ours, key) == pytest.approx(wanted[key], abs=TOLERANCE_SECONDS), key
        assert ours.previous == Totals(**wanted["previous"])


GROUPS = {"agents": "summary_reports.agent", "inboxes": "summary_reports.inbox", "teams": "summary_reports.team"}
GROUP_AVERAGES = {
    "avg_first_response_time": "avg_first_response_time",
    "avg_resolution_time": "avg_resolution_time",
    "reply_time": "avg_reply_time",
}


ANSWERED = [(run, by) for run in RUNS for by in GROUPS if (run, by) != ("chatwoot-3.16.0", "inboxes")]


@pytest.mark.parametrize(("run", "by"), ANSWERED)
async def test_groups_equal_chatwoots_summary_reports(run: str, by: By, pool: Pool, admin_pool: Pool) -> None:
    """The averages of each agent, inbox and team, and the conversations and resolutions where the release says them."""
    shops = await bench.install(admin_pool, run)
    await bench.apply(pool, bench.records(disordered(run, ORDER), shops))
    answers = reports(run)
    since, until = (datetime.fromtimestamp(answers[name], UTC) for name in ("since", "until"))

    compared = 0
    for name, shop in shops.items():
        async with scoped(pool, {shop.id}) as conn:
            ours = {group.id: group for group in (await by_group(conn, shop.id, by, since=since, until=until)).groups}
        for wanted in answers["stores"][name][GROUPS[by]] or ():
            group = ours.get(str(wanted["id"]), Group())
            compared += 1
            for mine, theirs in GROUP_AVERAGES.items():
                assert getattr(group, mine) == pytest.approx(wanted[theirs], abs=TOLERANCE_SECONDS), (wanted, mine)
            if "resolved_conversations_count" in wanted:
                assert group.resolutions_count == wanted["resolved_conversations_count"]
    print(f"{run} by {by}: compared {compared} groups")
    assert compared > 0


async def test_lost_status_change_is_said_beside_the_figures(pool: Pool, admin_pool: Pool) -> None:
    """One webhook of all never came: the reopening of a conversation that was resolved again."""
    run, shops = RUNS[0], await bench.install(admin_pool, RUNS[0])
    given = account_webhooks(run)
    lost = next(one for one in given if one.store == "amsel-nord" and _REOPENS in one.body)
    await bench.apply(pool, bench.records([one for one in given if one is not lost], shops))

    shop = shops["amsel-nord"]
    since, until = (datetime.fromtimestamp(reports(run)[name], UTC) for name in ("since", "until"))
    async with scoped(pool, {shop.id}) as conn:
        report = await summary(conn, shop.id, since=since, until=until)
    assert report.completeness.lost_changes == 1
    assert (
        report.resolutions_count
        == reports(run)["stores"]["amsel-nord"]["reports.summary?type=account"]["resolutions_count"]
    )


_REOPENS = b'"status":{"previous_value":"resolved","current_value":"open"}'


def counts(totals: Totals) -> dict[str, int]:
    """The counts of a summary."""
    return {key: getattr(totals, key) for key in COUNTS}


async def test_groups_stand_in_the_order_of_their_numbers_and_what_belongs_to_none_last(
    pool: Pool, admin_pool: Pool
) -> None:
    organization, begun = uuid.uuid4(), datetime(2026, 10, 24, 9, tzinfo=UTC)
    async with admin_pool.acquire() as conn:
        await bench.attach(conn, organization, account=1)
    for number in (1, 2, 3, 4):
        await bench.apply(pool, dialogue(organization, conversation=number, messages=2, begun=begun))
    async with scoped(pool, {organization}) as conn:
        for number, team in enumerate((100, None, 9, 10), start=1):
            await conn.execute(
                "update wootstream.conversations set team_id = $2 where organization_id = $1 and conversation_id = $3",
                *(organization, team, number),
            )
        teams = await by_group(conn, organization, "teams", since=begun, until=begun + timedelta(days=1))
    assert [group.id for group in teams.groups] == ["9", "10", "100", None]


async def test_no_more_surveys_are_answered_than_were_sent_on_whichever_day_the_answers_come(
    pool: Pool, admin_pool: Pool
) -> None:
    organization, begun = uuid.uuid4(), datetime(2026, 10, 23, 9, tzinfo=UTC)
    async with admin_pool.acquire() as conn:
        await bench.attach(conn, organization, account=1)
    await bench.apply(pool, dialogue(organization, conversation=1, messages=2, begun=begun))
    surveys = ((901, 0, 1), (902, 1, 1), (903, 1, None))  # sent, and answered, so many days later
    async with scoped(pool, {organization}) as conn:
        for number, sent, answered in surveys:
            await conn.execute(
                "insert into wootstream.messages (organization_id, conversation_id, message_id, kind, message_type,"
                " private, created_at, deleted) values ($1, 1, $2, 'survey', 'template', false, $3, false)",
                *(organization, number, begun + timedelta(days=sent)),
            )
            if answered is not None:
                await conn.execute(
                    "insert into wootstream.ratings (organization_id, conversation_id, message_id, answered_at,"
                    " sent_at, rating) values ($1, 1, $2, $3, $3, 5)",
                    *(organization, number, begun + timedelta(days=answered)),
                )
        days = await by_group(conn, organization, "days", since=begun, until=begun + timedelta(days=2))
    rated = {group.id: group.satisfaction for group in days.groups}
    assert {day: (one.answers, one.response_rate) for day, one in rated.items()} == {
        "2026-10-23": (0, 1.0), "2026-10-24": (2, 0.5),
    }  # fmt: skip


async def test_day_of_the_clock_change_has_its_25_hours(pool: Pool, admin_pool: Pool) -> None:
    """Amsterdam, 25 October 2026: from 22:00 UTC the evening before to 23:00 UTC, 25 hours later."""
    organization = uuid.uuid4()
    async with admin_pool.acquire() as conn:
        await bench.attach(conn, organization, account=1)
    begun = [datetime(2026, 10, day, hour, 30, tzinfo=UTC) for day, hour in ((24, 21), (24, 22), (25, 22), (25, 23))]
    for number, moment_ in enumerate(begun, start=1):
        await bench.apply(pool, dialogue(organization, conversation=number, messages=2, begun=moment_))

    async with scoped(pool, {organization}) as conn:
        row = await table.store(conn, organization)
        assert row is not None
        days = [moment(text, zone=row["timezone"], now=begun[0]) for text in ("2026-10-25", "2026-10-26")]
        whole = await by_group(conn, organization, "days", since=begun[0], until=begun[-1] + timedelta(hours=1))
        day = await summary(conn, organization, since=days[0], until=days[1])
    counts = {group.id: (group.conversations_count, group.incoming_messages_count) for group in whole.groups}
    assert counts == {"2026-10-24": (1, 1), "2026-10-25": (2, 2), "2026-10-26": (1, 1)}
    assert (day.conversations_count, days[1].astimezone(UTC) - days[0].astimezone(UTC)) == (2, timedelta(hours=25))
