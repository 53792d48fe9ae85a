"""Widget events of 50 stores while the consumers are killed: each good event once, each bad record set aside."""

import random
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.stores import add_organization
from services.control.ledger.audit import audit
from services.kernel import Clock, Publisher, Record
from tests.chaos.installation import Installation
from tests.chaos.processes import Worker, started
from tests.chaos.running import nothing_in_flight, run, topics_of_its_own
from tests.eventually import eventually
from tests.publishing import publish_all
from tests.widget_posts import Posts

_IN_MAKE_TEST, _KILLS_IN_MAKE_TEST = 4_000, 1
_STORES, _WORKERS = 50, 2
_REPEATS, _UNREADABLE, _REFUSED = 0.05, 0.01, 0.001  # of the events
_CHUNK = 10_000
_SETTLED = "select coalesce(sum(consumed), 0)::bigint from wootstream.ledger where consumer_group = 'widget'"
_ATTACH = (
    "insert into public.chatwoot_accounts"
    " (organization_id, slug, chatwoot_base_url, chatwoot_account_id, account_name, website_token)"
    " values ($1, $2, 'http://' || $2, 1, $2, $2)"
)


@dataclass
class Sent:
    """What went into the topic."""

    events: int = 0
    repeats: int = 0
    unreadable: int = 0
    refused: int = 0


def chunk(chance: random.Random, stores: Sequence[uuid.UUID], events: int, sent: Sent) -> list[Record]:
    """Posts of so many new events, with repeats among them and with records that can never be applied."""
    now = datetime.now(UTC)
    posts = Posts(chance.getrandbits(64), stores, now)
    records = [record for record, _ in posts.records(events)]
    repeats: list[Record] = []
    while sum(_size(one) for one in repeats) < events * _REPEATS:
        repeats.append(chance.choice(records))
    unreadable = [posts.record([posts.event(id="none")]) for _ in range(_so_many(chance, events * _UNREADABLE))]
    # No month is there so far ahead: the door would have refused it, our reading takes it, PostgreSQL does not.
    ahead = Posts(chance.getrandbits(64), stores, now + timedelta(days=700))
    refused = [ahead.record([ahead.event()]) for _ in range(_so_many(chance, events * _REFUSED))]
    sent.events += events
    sent.repeats += sum(_size(one) for one in repeats)
    sent.unreadable += len(unreadable)
    sent.refused += len(refused)
    everything = [*records, *repeats, *unreadable, *refused]
    chance.shuffle(everything)
    return everything


def _size(record: Record) -> int:
    return record.value.count(b'"event_type"')


def _so_many(chance: random.Random, mean: float) -> int:
    return int(mean) + (chance.random() < mean % 1)


async def _attach(installation: Installation) -> list[uuid.UUID]:
    stores = [uuid.uuid4() for _ in range(_STORES)]
    async with installation.admin() as admin:
        for store in stores:
            await add_organization(admin, store, "shop")
            await admin.execute(_ATTACH, store, f"shop-{store.hex[:12]}")
    return stores


async def test_each_good_event_is_stored_once_and_each_bad_one_set_aside_whoever_is_killed(
    installation: Installation, chance: random.Random, kills: int, request: pytest.FixtureRequest
) -> None:
    wanted = request.config.getoption("--examples")
    events, deaths = (wanted, kills) if wanted else (_IN_MAKE_TEST, _KILLS_IN_MAKE_TEST)
    stores, sent = await _attach(installation), Sent()
    workers = [run(installation, "widget", "customers", instance=f"worker-{number}") for number in range(_WORKERS)]
    publisher = Publisher(installation.settings, Clock())

    async with topics_of_its_own(installation), AsyncExitStack() as stack:
        await publisher.connect()
        stack.push_async_callback(publisher.stop)
        await stack.enter_async_context(started(*workers))
        sizes = [min(_CHUNK, events - done) for done in range(0, events, _CHUNK)]
        for number, size in enumerate(sizes):
            await publish_all(publisher, chunk(chance, stores, size, sent))
            for _ in range(deaths * (number + 1) // len(sizes) - deaths * number // len(sizes)):
                await _struck(installation, chance.choice(workers), after=chance.randrange(_CHUNK // 50))
        await nothing_in_flight(installation)
        seen = await audit(installation.settings)

    found = await _found(installation)
    print(f"{sent}, {deaths} kills, {found}, redelivered {sum(line.redelivered for line in seen.lines)}")
    assert (found["stored"], found["counted"]) == (sent.events, sent.events)
    assert (found["unreadable"], found["refused"]) == (sent.unreadable, sent.refused)
    assert (seen.missing, seen.halted) == (0, [])
    assert seen.clean


async def _struck(installation: Installation, worker: Worker, *, after: int) -> None:
    """Killed in the middle of its work: once so many more records were settled, or all that there are."""
    async with installation.admin() as admin:
        settled = await admin.fetchval(_SETTLED)

        async def gone_on() -> bool:
            over = (await audit(installation.settings)).in_flight == 0
            return over or await admin.fetchval(_SETTLED) >= settled + after

        await eventually(gone_on)
    await worker.kill()
    await worker.start()


async def _found(installation: Installation) -> dict[str, Any]:
    async with installation.admin() as admin:
        row = await admin.fetchrow(
            "select (select count(*) from public.chatwoot_widget_events) as stored,"
            " (select coalesce(sum(events), 0)::bigint from public.chatwoot_widget_daily) as counted,"
            " count(*) filter (where kind = 'unreadable') as unreadable,"
            " count(*) filter (where kind = 'refused') as refused"
            " from wootstream.dead_letters where consumer_group = 'widget'"
        )
    return dict(row)
