"""An export that is asked for is made, sealed until it is fetched, and gone in time; the request stays until then."""

import asyncio
import io
import resource
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from db.pool import Pool, scoped
from db.privacy import requests
from services.kernel import Process, Refusal, Settings
from services.kernel.forgetting.subjects import Subject
from services.privacy import worker
from services.privacy.asking import Asked
from services.privacy.erasures import erasure
from services.privacy.exports import requested
from services.privacy.exports.holdings_file import gather, written_private
from services.privacy.who import meant
from tests.services.privacy.conftest import KnownShop
from tests.services.privacy.consent.speaking import Speaker


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    """A data directory of one test's own."""
    return settings.model_copy(update={"data_directory": tmp_path / "data"})


async def asked(process: Process, shop: KnownShop, who: str = "customer:c1") -> UUID:
    return await requested.ask(process, shop.store, Asked((meant(who),)))


async def row_of(shop: KnownShop, request: UUID) -> Any:
    async with scoped(shop.pool, {shop.store}) as conn:
        return await requests.one(conn, shop.store, request)


async def made(process: Process, shop: KnownShop, request: UUID) -> Path:
    await requested.make(process, await row_of(shop, request))
    return process.settings.data_directory / "exports" / f"{shop.store}_{request}.sealed"


async def test_it_lies_sealed_until_it_is_fetched_once(shop: KnownShop, own: Settings, tmp_path: Path) -> None:
    await shop.customer("c1", email="anna@x.example", name="Anna")
    process = Process(own)
    request = await asked(process, shop)
    file = await made(process, shop, request)
    assert (await row_of(shop, request))["state"] == "made"
    assert b"PK" not in file.read_bytes()[:64]
    assert not await requested.take(process, shop.store, request, tmp_path / "anna.zip")
    with zipfile.ZipFile(io.BytesIO((tmp_path / "anna.zip").read_bytes())) as archive:
        assert b"anna@x.example" in archive.read("data.json")
        about = orjson.loads(archive.read("about.json"))["wootstream.customers"]
    assert {"purpose", "source", "kept"} <= about[0].keys()
    assert not file.exists()
    row = await row_of(shop, request)
    assert (row["state"], row["subject"], row["export_key"]) == ("done", None, None)
    with pytest.raises(Refusal, match="done already"):
        await requested.take(process, shop.store, request, tmp_path / "again.zip")
    await process.close()


async def test_what_nobody_fetched_is_destroyed_and_made_anew_when_somebody_does(
    shop: KnownShop, own: Settings, tmp_path: Path
) -> None:
    await shop.customer("c1")
    process = Process(own)
    request = await asked(process, shop)
    file = await made(process, shop, request)
    await requested.forget_old(process)
    assert file.exists()
    now = process.clock.now()
    process.clock.now = lambda: now + timedelta(days=7, minutes=1)  # type: ignore[method-assign]
    await requested.forget_old(process)
    row = await row_of(shop, request)
    assert (file.exists(), row["export_key"], row["state"]) == (False, None, "made")
    assert await requested.take(process, shop.store, request, tmp_path / "late.zip")
    await process.close()


async def test_a_file_whose_row_forgot_its_key_cannot_be_opened_wherever_it_lies(
    shop: KnownShop, own: Settings, tmp_path: Path
) -> None:
    """The person was erased: another machine's disk need not be reached for that."""
    await shop.customer("c1", email="anna@x.example")
    process = Process(own)
    request = await asked(process, shop, "anna@x.example")
    await made(process, shop, request)
    begun = await erasure.begin(process, shop.store, meant("customer:c1"))
    await erasure.carry_on(begun)  # neither Kafka nor Chatwoot answers, and nothing waits for them
    row = await row_of(shop, request)
    assert (row["state"], row["export_key"], row["reason"]) == ("refused", None, "the person was erased meanwhile")
    with pytest.raises(Refusal, match="refused already"):
        await requested.take(process, shop.store, request, tmp_path / "anna.zip")
    await process.close()


@pytest.mark.usefixtures("alone")
async def test_the_service_makes_what_is_asked_and_says_what_waits(shop: KnownShop, own: Settings) -> None:
    await shop.customer("c1")
    process = Process(own)
    request = await asked(process, shop)
    metrics = worker.PrivacyMetrics(process.registry)
    await worker.PrivacyWorker(process, metrics, asyncio.Event()).turn()
    assert (await row_of(shop, request))["state"] == "made"
    waiting = process.registry.get_sample_value("wootstream_privacy_open_exports", {"state": "made"})
    assert waiting == 1
    await process.close()


async def test_no_file_is_left_where_the_fetch_could_not_be_written_down(
    shop: KnownShop, own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, to = Process(own), tmp_path / "anna.zip"
    request = await asked(process, shop)

    async def fails(*_: Any, **__: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(requested, "note", fails)
    with pytest.raises(ConnectionError):
        await requested.take(process, shop.store, request, to)
    assert not to.exists()
    assert (await row_of(shop, request))["state"] == "asked"
    await process.close()


async def test_no_file_is_left_where_an_export_at_once_could_not_be_written_down(
    shop: KnownShop, own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor when somebody hits Ctrl-C."""
    await shop.customer("c1")
    process = Process(own)

    async def interrupted(*_: Any, **__: Any) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(requested, "note", interrupted)
    with pytest.raises(asyncio.CancelledError):
        await requested.export(process, shop.store, Asked((meant("customer:c1"),)), tmp_path / "anna.zip")
    assert [*tmp_path.glob("*.zip")] == []
    await process.close()


def test_a_file_that_finds_no_room_is_not_left_in_part_and_says_so(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(Refusal, match="where there is room"), written_private(tmp_path / "anna.zip", b"x" * 1_000):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [*tmp_path.iterdir()] == []


async def test_chats_that_name_somebody_no_longer_are_theirs_to_see_all_the_same(
    settings: Settings, admin_pool: Pool
) -> None:
    """A hash of ours still says whose they are."""
    process = Process(settings)
    anna, other = await Speaker.known(process, admin_pool), await Speaker.known(process, admin_pool)
    for one in (anna, other):
        await one.writes(10)
    _, before = await gather(process, anna.store, Subject("customer", "c1"))
    await anna.says(Subject("customer", "c1"), "chat", 20, given=False)
    await anna.settled()
    assert (await anna.stored())["chats"][0]["hashed"]
    _, after = await gather(process, anna.store, Subject("customer", "c1"))
    chats = {part: len(rows) for part, rows in before.tables.items() if "conversation" in part or "messages" in part}
    assert {part: len(after.tables.get(part, ())) for part in chats} == chats
    assert chats["wootstream.messages"] == 1
    await process.close()
