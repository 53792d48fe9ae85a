"""What is done for people of many stores: what one store asks, however much or however wrong, delays nobody else's."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from db import stores
from db.pool import PRIVACY, Pool, scoped
from db.privacy import requests
from services.kernel import Process, Settings
from services.kernel.consent.words import ConsentWord, ConsentWords
from services.kernel.forgetting.subjects import Subject
from services.privacy import worker
from services.privacy.consent import applying, standing
from services.privacy.who import find
from tests.services.attached import attach

_DUE = timedelta(days=30)
# As wootstream.consents_of asks, and waits.
_BATCH_BEGINS = "select pg_try_advisory_xact_lock_shared(hashtextextended('wootstream/consent/' || $1::uuid::text, 0))"


class TwoStores:
    """One that harms whom it can, and one that waits behind it wherever stores are sorted."""

    def __init__(self, process: Process, one: UUID, other: UUID) -> None:
        self.process = process
        self.hostile, self.honest = sorted((one, other))

    @property
    def both(self) -> set[UUID]:
        return {self.hostile, self.honest}

    async def say(self, store: UUID, session: str) -> None:
        word = ConsentWord(store, Subject("session", session), "analytics", False, self.process.clock.now(), "beacon")
        async with scoped(self.process.pool(), {store}) as conn:
            await ConsentWords(self.process.secrets).add(conn, [word])

    async def ask(self, store: UUID, number: int) -> UUID:
        now = self.process.clock.now() - timedelta(days=1 if store == self.hostile else 0)
        request = UUID(int=store.int ^ number)
        async with scoped(self.process.pool(PRIVACY), {store}) as conn:
            await requests.add(conn, store, request, kind="erasure", source="shop", asked_at=now, deadline=now + _DUE,
                               subject=None)  # fmt: skip
        return request

    async def waiting_words(self, admin: Pool, store: UUID) -> int:
        async with admin.acquire() as conn:
            query = "select count(*) from wootstream.consents where organization_id = $1 and subject is not null"
            return int(await conn.fetchval(query, store))

    def worker(self) -> worker.PrivacyWorker:
        return worker.PrivacyWorker(self.process, worker.PrivacyMetrics(self.process.registry), asyncio.Event())


@pytest.fixture
async def two(settings: Settings, admin_pool: Pool, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TwoStores]:
    process = Process(settings)
    found = TwoStores(process, await attach(admin_pool), await attach(admin_pool))

    async def ids(_conn: object) -> set[UUID]:
        return found.both

    monkeypatch.setattr(stores, "ids", ids)  # what other tests left open is not gone on with
    yield found
    await process.close()


async def test_a_flood_of_words_in_one_store_delays_no_withdrawal_in_another(
    two: TwoStores, admin_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "_AT_ONCE", 5)
    for number in range(8):
        await two.say(two.hostile, f"a-visitor-of-many-{number}")
    await two.say(two.honest, "the-one-who-withdrew")
    assert await applying.apply_waiting(two.process, two.both) == 5
    assert await two.waiting_words(admin_pool, two.honest) == 0
    assert await two.waiting_words(admin_pool, two.hostile) == 4
    # Nor does who tells a word by verb or over HTTP wait until the flood is over.
    await standing.say(two.process, two.hostile, Subject("session", "mine"), "analytics", given=False, source="api")
    assert await two.waiting_words(admin_pool, two.hostile) == 4


async def test_a_word_waits_for_no_more_than_a_turn_of_another_stores(
    two: TwoStores, admin_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may walk all that its store's pages told."""
    monkeypatch.setattr(applying, "_TURN_SECONDS", 0)
    for number in range(3):
        await two.say(two.hostile, f"a-visitor-of-many-{number}")
    assert await applying.turn(two.process)  # there is more
    await two.say(two.honest, "the-one-who-withdrew")
    assert await applying.turn(two.process)
    assert (await two.waiting_words(admin_pool, two.honest), await two.waiting_words(admin_pool, two.hostile)) == (0, 1)


async def test_no_batch_waits_while_it_is_looked_up_who_somebody_is(
    two: TwoStores, admin_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch has other stores' records, too; and the look goes through all that the store's pages ever told."""
    waited: list[bool] = []

    async def slow(conn: Any, store: UUID, asked: Subject) -> Any:
        async with admin_pool.acquire() as other, other.transaction():
            waited.append(not await other.fetchval(_BATCH_BEGINS, store))
        return await find(conn, store, asked)

    monkeypatch.setattr(applying, "find", slow)
    await two.say(two.hostile, "the-one-who-withdrew")
    await applying.apply_waiting(two.process, two.both)
    assert waited == [False]
    assert await two.waiting_words(admin_pool, two.hostile) == 0


async def test_a_word_that_cannot_be_applied_keeps_back_its_own_store_alone(
    two: TwoStores, admin_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stuck(conn: Any, store: UUID, asked: Subject) -> Any:
        if store == two.hostile:
            raise asyncpg.LockNotAvailableError
        return await find(conn, store, asked)

    monkeypatch.setattr(applying, "find", stuck)
    for store in (two.hostile, two.honest):
        await two.say(store, "the-one-who-withdrew")
    with pytest.raises(asyncpg.LockNotAvailableError):
        await applying.apply_waiting(two.process, two.both)
    assert (await two.waiting_words(admin_pool, two.honest), await two.waiting_words(admin_pool, two.hostile)) == (0, 1)


async def test_a_store_that_asks_much_of_a_slow_chatwoot_has_its_share_of_a_turn_and_no_more(
    two: TwoStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [await two.ask(two.hostile, number) for number in range(1, 6)]
    one = await two.ask(two.honest, 1)
    begun: list[UUID] = []

    async def slow(_process: Process, row: Any) -> dict[str, str]:
        begun.append(row["id"])
        await asyncio.sleep(0.05)
        return {"chatwoot": "it does not answer"}

    monkeypatch.setattr(worker, "go_on", slow)
    monkeypatch.setattr(worker, "_STORE_SECONDS", 0.01)
    works = two.worker()
    assert await works.turn()
    assert begun == [many[0], one]
    for more in (True, True, True, False):
        assert await works.turn() is more
    assert set(begun) == {*many, one}  # and what waits for its Chatwoot keeps none of its store's back
    assert two.process.registry.get_sample_value("wootstream_privacy_open_erasures") == 6


async def test_a_request_that_fails_or_never_ends_costs_the_next_store_nothing(
    two: TwoStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two.ask(two.hostile, 1)
    one = await two.ask(two.honest, 1)
    begun: list[UUID] = []
    harms: list[Exception] = []

    async def go_on(_process: Process, row: Any) -> dict[str, str]:
        if row["organization_id"] == two.hostile:
            if harms:
                raise harms[0]
            await asyncio.sleep(1000)
        begun.append(row["id"])
        return {}

    monkeypatch.setattr(worker, "go_on", go_on)
    monkeypatch.setattr(worker, "_REQUEST_SECONDS", 0.05)
    works = two.worker()
    await works.turn()
    assert begun == [one]
    harms.append(KeyError("nobody foresaw it"))
    with pytest.raises(KeyError):
        await works.turn()
    assert begun == [one, one]


async def test_of_a_store_that_asks_without_end_so_many_requests_are_read_at_once(two: TwoStores) -> None:
    for number in range(1, 6):
        await two.ask(two.hostile, number)
    await two.ask(two.honest, 1)
    async with scoped(two.process.pool(PRIVACY), two.both) as conn:
        rows = await requests.open_ones(conn, two.both, most=2)
    assert [row["organization_id"] for row in rows] == [two.hostile, two.hostile, two.honest]
