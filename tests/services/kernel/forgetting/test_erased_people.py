"""What was received about somebody before their erasure is applied by nobody, whoever reads it again and however."""

import asyncio
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from db.pool import PRIVACY, Pool, open_pool, scoped
from db.privacy import erased
from db.privacy.erased import ErasedRow
from db.records import ledger
from db.records.ledger import Move
from services.kernel.forgetting.subjects import Pseudonyms, Subject, subjects_named
from services.kernel.secrets import load_secrets
from services.kernel.settings import Settings
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.kernel_bench import Bench, Number

_ANNA = 7  # a number that is a person
# Other workers' databases are on the same server, and copies have the same numbers for their tables.
_WAITING = """
select count(*) from pg_locks where not granted and relation = 'wootstream.ledger'::regclass
and database = (select oid from pg_database where datname = current_database())
"""
# What a batch holds from its first statement to its commit.
_BATCH = "lock table wootstream.ledger in row exclusive mode"


def _subjects(event: Number) -> Iterable[Subject]:
    return subjects_named(customers=[str(event.n)])


@pytest.fixture
async def privacy(database_url: str) -> Pool:
    return open_pool(database_url, PRIVACY)


async def _erase(pool: Pool, settings: Settings, store: uuid.UUID, at: datetime, *subjects: Subject) -> None:
    pseudonyms, request = Pseudonyms(load_secrets(settings)), uuid.uuid4()
    async with scoped(pool, {store}) as conn:
        await erased.hold_consumers(conn)
        digests = [digest for one in subjects for digest in pseudonyms.of(store, one)]
        await erased.add(conn, [ErasedRow(store, digest, at, request) for digest in digests])


async def test_what_was_received_before_the_erasure_is_ignored_and_what_comes_later_is_a_new_persons(
    bench: Bench, privacy: Pool
) -> None:
    before = [bench.record(_ANNA), bench.record(1)]
    await _erase(privacy, bench.settings, bench.store, datetime.now(UTC), *subjects_named(customers=[str(_ANNA)]))
    late = bench.record(_ANNA)
    other = bench.record(_ANNA, store=await bench.another_store())
    async with bench.consuming(subjects=_subjects):
        await bench.send_records([*before, late])
        await bench.until("consumed", 3)
        await bench.send_records([other])
        await bench.until("consumed", 4)
    assert await bench.total("ignored") == 1
    assert (await bench.stored()).count(_ANNA) == 2
    await privacy.close()


async def test_batches_go_on_while_an_erasure_waits_for_a_slow_one(privacy: Pool, admin_pool: Pool) -> None:
    """They are every store's."""

    async def hold() -> None:
        async with scoped(privacy, ()) as conn:
            longest = await conn.fetchval("select current_setting('lock_timeout')")
            await erased.hold_consumers(conn)
            assert await conn.fetchval("select current_setting('lock_timeout')") == longest

    async with admin_pool.acquire() as slow, admin_pool.acquire() as next_one:
        async with slow.transaction():
            await slow.execute(_BATCH)
            holding = asyncio.create_task(hold())

            async def waits() -> bool:
                return bool(await next_one.fetchval(_WAITING))

            await eventually(waits)
            async with next_one.transaction():
                await next_one.execute("set local lock_timeout = '2s'")
                await next_one.execute(_BATCH)
            assert not holding.done()
        await holding
    await privacy.close()


async def test_a_record_that_nobody_can_read_is_not_set_aside_when_it_names_somebody_erased(
    bench: Bench, privacy: Pool
) -> None:
    poison = [
        bench.record(None, value=b'{"m": 1, "email": "Anna@example.com"}'),
        bench.record(None, value=b'{"m": 1, "customer_id": "c-7"}'),
        bench.record(None, value=b"no JSON", key=b"%s:c-7" % str(bench.store).encode()),
        bench.record(None, value=b'{"m": 1, "email": "ben@example.com"}'),
    ]
    names = subjects_named(customers=["c-7"], emails=["anna@example.com"])
    await _erase(privacy, bench.settings, bench.store, datetime.now(UTC), *names)
    async with bench.consuming(subjects=_subjects):
        await bench.send_records(poison)
        await bench.until("consumed", 4)
    letters = await bench.dead()
    assert [letter["record_value"] for letter in letters] == [poison[3].value]
    await privacy.close()


async def test_a_record_that_does_not_say_when_it_was_received_is_taken_for_old(bench: Bench, privacy: Pool) -> None:
    dateless = bench.record(_ANNA)
    dateless.headers = tuple(one for one in dateless.headers if one[0] != "received-at")
    long_ago = datetime.now(UTC) - timedelta(days=1)
    await _erase(privacy, bench.settings, bench.store, long_ago, *subjects_named(customers=[str(_ANNA)]))
    async with bench.consuming(subjects=_subjects):
        await bench.send_records([dateless, bench.record(_ANNA)])
        await bench.until("consumed", 2)
    assert await bench.stored() == [_ANNA]
    await privacy.close()


async def test_an_erasure_waits_for_the_batch_that_runs_and_the_next_batch_sees_it(
    bench: Bench, pool: Pool, privacy: Pool, admin_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who had looked before and writes after would bring the person back."""
    # It tries shortly first: on a slow machine the next batch came between two tries, and waited for no erasure.
    monkeypatch.setattr(erased, "_TRIES_MS", (int(PATIENCE_SECONDS * 1_000),))
    group, at = f"race-{uuid.uuid4().hex[:8]}", datetime.now(UTC)

    async def waiting(count: int) -> None:
        async def reached() -> bool:
            async with admin_pool.acquire() as conn:
                return bool(await conn.fetchval(_WAITING) >= count)

        await eventually(reached)

    async def enter() -> ledger.Entered:
        async with pool.acquire() as conn, conn.transaction():
            await conn.execute("set local lock_timeout = 0")
            return await ledger.enter(conn, group, "topic", [Move(0, 0)], [bench.store])

    async with pool.acquire() as running:
        await ledger.begin(running, group, "topic", {0: 0}, cluster_id="c")
        async with running.transaction():
            seen = await ledger.enter(running, group, "topic", [Move(0, 0)], [bench.store])
            erasing = asyncio.create_task(
                _erase(privacy, bench.settings, bench.store, at, *subjects_named(customers=[str(_ANNA)]))
            )
            await waiting(1)
            next_batch = asyncio.create_task(enter())
            await waiting(2)
            assert not erasing.done()
    await erasing
    assert (seen.erased, (await next_batch).erased) == ({}, {bench.store: at})
    await privacy.close()
