"""The handler on real PostgreSQL: Chatwoot's rows from any order of webhooks, each fact once."""

import random
import uuid
from collections import Counter
from datetime import UTC, datetime
from itertools import permutations

import orjson
import pytest
import structlog

from db.pool import Pool, scoped
from services.conversations import events, repository
from services.conversations.figures.facts import union
from services.conversations.figures.figures import figures
from services.conversations.figures.rules import Rules
from services.conversations.reports import tables
from services.conversations.reports.completeness import completeness
from tests.recordings.parity import compare_events, compare_ratings, compare_states
from tests.recordings.recorded import RUNS, account_webhooks, disordered
from tests.recordings.test_figures_equal_chatwoot import HELD
from tests.services.attached import attach
from tests.services.conversations import bench
from tests.services.conversations.dialogues import dialogue


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
                "select jsonb_agg(to_jsonb(t) - 'updated_at' - 'seen_sent_at' order by t::text)"  # noqa: S608
                f" from wootstream.{table} t"
                " where organization_id = any($1)",
                [shop.id for shop in shops.values()],
            )
            for table in tables
        ]


@pytest.mark.parametrize("order", list(permutations((("open", 1), ("open", 3), ("resolved", 2)))))
async def test_of_states_written_together_the_one_sent_last_counts_in_any_order(
    order: tuple[tuple[str, int], ...], pool: Pool, admin_pool: Pool
) -> None:
    """Also where it was sent before, and heard before: a repeat is no news, but it is later."""
    store = await attach(admin_pool)
    like = orjson.loads(next(one.body for one in account_webhooks(RUNS[0]) if one.event == "conversation_created"))
    bodies = {status: orjson.dumps(like | {"status": status}) for status in ("open", "resolved")}
    sent = [(bodies[status], datetime(2026, 11, 1, second=second, tzinfo=UTC)) for status, second in order]

    records = [bench.record(store, "conversation_created", body, received_at=at) for body, at in sent]
    await bench.apply(pool, records, batch=1)

    async with scoped(pool, {store}) as conn:
        assert await conn.fetchval("select status from wootstream.conversations") == "open"


async def test_stores_with_the_same_numbers_never_meet(pool: Pool, admin_pool: Pool) -> None:
    """Two stores hear the same bodies, so every account, conversation, message and inbox number is the same."""
    both = [await bench.install(admin_pool, "chatwoot-3.16.0") for _ in range(2)]
    alone = await bench.install(admin_pool, "chatwoot-3.16.0")
    given = account_webhooks("chatwoot-3.16.0")
    mixed = [record for pair in zip(*(bench.records(given, shops) for shops in both), strict=True) for record in pair]

    await bench.apply(pool, mixed)
    await bench.apply(pool, bench.records(given, alone))

    wanted = await figures_of(admin_pool, alone)
    assert wanted
    for shops in both:
        assert await figures_of(admin_pool, shops) == wanted


async def figures_of(admin: Pool, shops: dict[str, bench.Shop]) -> list[object]:
    """Events and heads by store name: what must not depend on who else is there."""
    answer: list[object] = []
    async with admin.acquire() as conn:
        for shop in shops.values():
            heads = await conn.fetch(
                "select conversation_id, status, assignee_id, counts, event_count, rating, waiting_since"
                " from wootstream.conversations where organization_id = $1 order by 1",
                shop.id,
            )
            answer += [*(tuple(row.values()) for row in heads), await bench.events_of(conn, shop.id)]
    return answer


@pytest.mark.parametrize("batch", [1, 60, 500])
async def test_long_conversation_in_disorder_equals_one_walk(batch: int, pool: Pool, admin_pool: Pool) -> None:
    """900 messages that overtake each other, and three that come days late: stored events as if reckoned at once."""
    organization = uuid.uuid4()
    async with admin_pool.acquire() as conn:
        await bench.attach(conn, organization, account=1)
    given = dialogue(organization, conversation=1, messages=900)
    chance = random.Random(batch)
    arriving = sorted(given, key=lambda one: given.index(one) + chance.uniform(0, 8))
    for late in (700, 300, 2):
        arriving.append(arriving.pop(late))

    await bench.apply(pool, arriving[: 40 if batch == 1 else None], batch=batch)
    await bench.apply(pool, arriving, batch=max(batch, 30))

    facts = [event.facts for one in given if (event := events.read(one))]
    wanted = figures(union(facts), Rules.of("4.13.0", has_bot=False))
    async with scoped(pool, {organization}) as conn:
        assert (await bench.events_of(conn, organization))[1] == list(wanted.events)
        assert await conn.fetchval("select counts from wootstream.conversations") == wanted.counts
        assert await conn.fetchval("select walked is not null from wootstream.conversations")


async def test_a_conversation_without_end_is_kept_and_not_reckoned_and_the_others_are(
    pool: Pool, admin_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its messages come the last first, so that no checkpoint is made."""
    monkeypatch.setattr(repository, "MOST_OPEN", 30)
    organization = uuid.uuid4()
    async with admin_pool.acquire() as conn:
        await bench.attach(conn, organization, account=1)
    endless = dialogue(organization, conversation=1, messages=100)[::-1]
    short = dialogue(organization, conversation=2, messages=10)
    with structlog.testing.capture_logs() as logs:
        await bench.apply(pool, [*endless[:60], *short, *endless[60:]], batch=20)
    said = [one for one in logs if one["event"] == "conversations_are_too_long"]
    assert {one["conversations"] for one in said} == {1}
    async with scoped(pool, {organization}) as conn:
        assert await conn.fetchval("select count(*) from wootstream.messages where conversation_id = 1") == 100
        counts = await conn.fetch("select conversation_id, counts from wootstream.conversations order by 1")
        still = await completeness(conn, organization)
        found = await repository.look(conn, (organization, 1))
    assert [(row["conversation_id"], row["counts"].get("messages")) for row in counts] == [(1, 20), (2, 10)]
    assert still.not_reckoned == 1
    assert "1 conversations too long to be reckoned, whose figures stand still" in tables.complete({"nl": still})
    assert found is not None
    assert found[0].not_reckoned_since is not None

    monkeypatch.setattr(repository, "MOST_OPEN", 500)
    await bench.apply(pool, dialogue(organization, conversation=1, messages=101)[-1:], batch=1)
    async with scoped(pool, {organization}) as conn:
        assert (await completeness(conn, organization)).not_reckoned == 0


@pytest.mark.parametrize("most", [31, 100_000])
async def test_however_many_facts_a_batch_needs_they_are_read_in_portions_and_the_figures_are_the_same(
    most: int, pool: Pool, admin_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "MOST_OPEN", 30)
    monkeypatch.setattr(repository, "MOST_AT_ONCE", most)
    organization = uuid.uuid4()
    async with admin_pool.acquire() as conn:
        await bench.attach(conn, organization, account=1)
    given = [dialogue(organization, conversation=number, messages=20) for number in range(1, 6)]
    await bench.apply(pool, [one for talk in given for one in talk[::2]], batch=500)
    await bench.apply(pool, [one for talk in given for one in talk[1::2]], batch=500)
    async with scoped(pool, {organization}) as conn:
        rows = await conn.fetch("select counts, event_count from wootstream.conversations order by conversation_id")
    facts = [event.facts for one in given[0] if (event := events.read(one))]
    wanted = figures(union(facts), Rules.of("4.13.0", has_bot=False))
    assert [(row["counts"], row["event_count"]) for row in rows] == [(wanted.counts, len(wanted.events))] * 5
