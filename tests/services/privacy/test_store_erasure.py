"""A whole store is erased: nothing of it is left, killed or not, and nothing of it comes back."""

import asyncio
import contextlib
import random
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db.pool import scoped
from db.privacy import erased_stores, requests
from local.stack import Stack
from services.kernel import Process, Refusal, Settings
from services.privacy import store_erasure, worker
from tests.chaos.processes import environment
from tests.databases import empty_database
from tests.db.rows import TENANTS
from tests.eventually import PATIENCE_SECONDS
from tests.forget.people import Visitor
from tests.forget.scene import Scene, copy_database, drop_database, scene_on
from tests.forget.search import hits
from tests.publishing import publish_all
from tests.services.attached import ACCOUNT_ID, attach
from tests.services.control.conftest import point_at
from tests.services.control.verbs import answer, call, noted
from tests.services.privacy.conftest import KnownShop

_STAYS = {"wootstream.erased_stores", "wootstream.audit_log"}
# Written by triggers; there already; what refuses an erasure; of people whom this database does not know.
_NOT_FILLED = _STAYS | {
    "wootstream.dead_letter_counts", "public.chatwoot_accounts", "wootstream.legal_holds", "wootstream.members",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_erasure, "UNDER_WAY", timedelta(0))


async def fill(shop: KnownShop, rows: int) -> None:
    """Rows in every table that has a store's."""
    for table in TENANTS.keys() - _NOT_FILLED:
        for number in range(1, rows + 1):
            row = dict(TENANTS[table].row(number))
            if "chatwoot_account_id" in row:
                row["chatwoot_account_id"] = ACCOUNT_ID
            with contextlib.suppress(asyncpg.UniqueViolationError):  # some have one row a store
                await shop.put(table, **row)


async def left(shop: KnownShop) -> set[str]:
    """Tables that hold something of the store."""
    async with shop.admin.acquire() as conn:
        return {
            table
            for table in TENANTS
            if await conn.fetchval(f"select exists (select from {table} where organization_id = $1)", shop.store)  # noqa: S608
        }


async def proof(shop: KnownShop) -> dict[str, Any]:
    async with scoped(shop.pool, {shop.store}) as conn:
        row = await erased_stores.one(conn, shop.store)
    assert row
    return dict(row)


@pytest.mark.usefixtures("topics")
async def test_nothing_is_left_but_that_it_was_and_the_neighbour_keeps_all(
    shop: KnownShop, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_at(settings, monkeypatch)
    neighbour = KnownShop(shop.pool, shop.admin, await attach(shop.admin))
    for one in (shop, neighbour):
        await fill(one, 3)
    before, slug = await left(neighbour), f"shop-{shop.store.hex[:12]}"
    counted = await answer("stores", "remove", slug, "--erase", "--dry-run")
    assert counted["wootstream.customers"] == 3
    with pytest.raises(Refusal, match="without it they all stay"):
        await call("stores", "remove", slug, "--dry-run")
    with pytest.raises(Refusal, match="nothing was changed"):
        await call("stores", "remove", slug, "--erase", "--confirm", "another", "--keep-webhook")
    assert before <= await left(shop)
    told = await answer("stores", "remove", slug, "--erase", "--confirm", slug, "--keep-webhook")
    assert told["waiting"] == {}
    assert await left(shop) == _STAYS
    assert await left(neighbour) == before
    row = await proof(shop)
    assert (row["proof"]["customers"], row["published"] is None, row["finished_at"] is None) == (3, False, False)
    assert (await noted(shop.admin, shop.store))[-1] == "stores remove --erase"
    again = ("--base-url", "https://x.example", "--account", "9", "--website-token", "abcdefgh", "--unsigned")
    with pytest.raises(Refusal, match="was erased"):  # its id is never given again
        await call("stores", "add", slug, "--organization", str(shop.store), *again)


async def test_a_store_whose_data_the_law_bids_to_keep_is_not_erased(shop: KnownShop, settings: Settings) -> None:
    process = Process(settings)
    await shop.put("wootstream.legal_holds", digest=b"x" * 16, reason="a lawsuit")
    for work in (store_erasure.look(process, shop.store), store_erasure.begin(process, shop.store, source="verb")):
        with pytest.raises(Refusal, match="1 names"):
            await work
    await process.close()


async def test_it_goes_on_from_wherever_it_stopped_and_waits_for_kafka_with_the_last_step_alone(
    shop: KnownShop, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(shop, 2)
    process, some = Process(settings), erased_stores.delete_some
    await store_erasure.begin(process, shop.store, source="verb")
    monkeypatch.setattr(store_erasure, "_MOST_ROWS", 1)
    calls = 0  # that took a row

    async def dies(*arguments: Any) -> int:
        nonlocal calls
        gone = await some(*arguments)
        calls += gone
        if gone and calls % 3 == 0:
            raise ConnectionError  # the transaction is undone with it
        return gone

    monkeypatch.setattr(erased_stores, "delete_some", dies)
    deaths = 0
    while True:
        try:
            waiting = await store_erasure.carry_on(process, shop.store)
            break
        except ConnectionError:
            deaths += 1
    assert deaths > 5
    assert waiting.keys() == {"published"}  # nobody connected to Kafka here
    assert await left(shop) == _STAYS | {"public.chatwoot_accounts", "wootstream.dead_letter_counts"}
    assert (await proof(shop))["proof"]["customers"] == 2
    await process.close()


@pytest.mark.usefixtures("topics")
async def test_killed_it_is_done_by_the_service(shop: KnownShop, settings: Settings) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    await fill(shop, 20)
    slug = f"shop-{shop.store.hex[:12]}"
    verb = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.cli", "stores", "remove", slug, "--erase", "--confirm", slug, "--keep-webhook",
        env=environment(settings),
    )  # fmt: skip
    begun: Any = None
    async with asyncio.timeout(PATIENCE_SECONDS):
        while begun is None:
            async with scoped(shop.pool, {shop.store}) as conn:
                begun = await erased_stores.one(conn, shop.store)
    try:  # any moment will do
        await asyncio.wait_for(verb.wait(), random.Random(seed).uniform(0, 0.2))
    except TimeoutError:
        verb.kill()
    await verb.wait()
    async with Scene(settings, shop.store).sending() as process:
        assert not await store_erasure.carry_on(process, shop.store)
    assert await left(shop) == _STAYS


@pytest.mark.parametrize("wished", [True, False])
@pytest.mark.usefixtures("topics", "alone")
async def test_what_shopify_bids_is_done_by_itself_only_where_the_store_says_so(
    shop: KnownShop, settings: Settings, wished: bool
) -> None:
    await shop.customer("73")
    async with shop.admin.acquire() as conn:
        await conn.execute(
            "update public.chatwoot_accounts set erase_when_redacted = $2 where organization_id = $1",
            shop.store,
            wished,
        )
    async with Scene(settings, shop.store).sending() as process:
        now = process.clock.now()
        async with scoped(shop.pool, {shop.store}) as conn:
            await requests.add(conn, shop.store, shop.store, kind="store erasure", source="shop", asked_at=now,
                               deadline=now, subject=None)  # fmt: skip
        metrics = worker.PrivacyMetrics(process.registry)
        await worker.PrivacyWorker(process, metrics, asyncio.Event()).turn()
        waiting = process.registry.get_sample_value("wootstream_privacy_open_store_erasures")
    there = "wootstream.customers" in await left(shop)
    assert (there, bool(waiting)) == (not wished, not wished)
    if wished:
        assert (await proof(shop))["request_id"] == shop.store


@pytest.mark.from_the_beginning
@pytest.mark.usefixtures("topics")
async def test_neither_topics_nor_a_spool_nor_an_older_database_bring_a_store_back(
    settings: Settings, stack: Stack, tmp_path: Path
) -> None:
    async with empty_database(stack.database_url) as url:
        scene = await scene_on(settings, url, tmp_path)
        anna = Visitor(scene.store, f"anna{scene.store.hex[:8]}", 81_000_001)
        async with scene.running() as process:
            await publish_all(process.publisher, anna.told("one"))
            await scene.caught_up()
        yesterday = await copy_database(url, f"{url.rpartition('/')[2]}_yesterday")
        assert await hits(url, anna.needles)
        await scene.spool(anna.told("spooled"))
        async with scene.sending() as process:
            await store_erasure.begin(process, scene.store, source="verb")
            assert not await store_erasure.carry_on(process, scene.store)
        found = [await hits(url, anna.needles, directory=tmp_path)]
        assert await scene.drain() == len(anna.told(""))
        await scene.consume_all("-again")
        found.append(await hits(url, anna.needles, directory=tmp_path))
        ignored = await _ignored(url)
        try:
            await scene.on(yesterday).consume_all(privacy=True)
            found.append(await hits(yesterday, anna.needles))
        finally:
            await drop_database(yesterday)
    assert found == [Counter()] * 3
    assert ignored > len(anna.told("")) * 2


async def _ignored(url: str) -> int:
    conn = await asyncpg.connect(url, timeout=30)
    try:
        return int(await conn.fetchval("select sum(ignored) from wootstream.ledger"))
    finally:
        await conn.close()
