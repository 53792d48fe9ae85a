"""An export holds what a search through the tables finds of that person: nothing less, and nothing of others."""

import io
import random
import zipfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import orjson
import pytest
from pydantic import SecretStr

from db.pool import PRIVACY, open_pool, scoped, use_json
from db.privacy import holdings, requests
from services.kernel import Process, Refusal, Settings
from services.privacy.asking import Asked
from services.privacy.exports import holdings_file, requested
from services.privacy.who import meant
from tests.databases import copied_database
from tests.forget.dump import hits_in, rows_as_text
from tests.forget.search import hits
from tests.services.attached import attach
from tests.services.privacy.conftest import KnownShop

_NOW = datetime.now(UTC)
_PEOPLE = 20


async def _people(shop: KnownShop, chance: random.Random) -> list[str]:
    """Twenty, some of whom share an address, some a device."""
    marks = [f"m{shop.store.hex[:8]}x{number:02}" for number in range(_PEOPLE)]
    for number, mark in enumerate(marks):
        shared = chance.random() < 0.3
        await shop.customer(mark, email=f"family{number // 2}@x.example" if shared else f"{mark}@x.example", name=mark)
        await shop.contact(500 + number, customer_id=mark)
        await shop.put("wootstream.orders", order_id=f"o-{mark}", customer_id=mark)
        await shop.put("wootstream.due", person=f"customer:{mark}")
        device = f"tablet{number // 2}" if chance.random() < 0.3 else f"phone-{mark}"
        await shop.put("wootstream.visits", customer_id=mark, session_id=device, first_at=_NOW, last_at=_NOW)
        letter = orjson.dumps({"customer_id": mark, "wrong": True})
        await shop.put("wootstream.dead_letters", consumer_group=mark, topic="t", partition=0, era=1, record_offset=1,
                       kind="unreadable", reason="r", value_bytes=9, record_value=letter)  # fmt: skip
    return marks


async def test_an_export_is_what_a_search_finds_of_them(migrated: str, settings: Settings) -> None:
    """In a database of its own: it is searched twenty times, and other tests leave much in theirs."""
    seed = random.randrange(2**32)
    print("seed", seed)
    async with (
        copied_database(migrated) as url,
        asyncpg.create_pool(url, min_size=0, max_size=4, timeout=30, init=use_json) as admin,
    ):
        shop = KnownShop(open_pool(url, PRIVACY), admin, await attach(admin))
        process = Process(settings.model_copy(update={"database_url": SecretStr(url)}))
        await _equal(process, shop, url, await _people(shop, random.Random(seed)))
        await process.close()
        await shop.pool.close()


async def _equal(process: Process, shop: KnownShop, database_url: str, marks: list[str]) -> None:
    dump = await rows_as_text(database_url)
    for mark in marks:
        _, held = await holdings_file.gather(process, shop.store, meant(f"customer:{mark}"))
        text = orjson.dumps(held.tables, default=str).decode()
        assert [other for other in marks if other in text] == [mark]
        exported = Counter({
            table: sum(mark in orjson.dumps(row, default=str).decode() for row in rows)
            for table, rows in held.tables.items()
        })  # fmt: skip
        exported["wootstream.dead_letters"] = exported.pop("dead letters")
        assert +exported == await hits(database_url, [mark])
        assert dump is None or +exported == hits_in(dump, [mark])  # and by a search through PostgreSQL's own dump


async def test_it_is_one_file_to_read_and_one_for_machines_and_is_written_down(
    shop: KnownShop, settings: Settings, tmp_path: Path
) -> None:
    await shop.customer("c1", email="anna@x.example", name="=1+1 <b>Anna</b>")
    process, to = Process(settings), tmp_path / "anna.zip"
    assert await requested.export(process, shop.store, Asked((meant("c1"),)), to) == {"wootstream.customers": 1}
    assert to.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(io.BytesIO(to.read_bytes())) as archive:
        assert set(archive.namelist()) == {
            "data.json", "about.json", "read-me.html", "portable/data.json", "portable/customers.csv",
        }  # fmt: skip
        page, sheet = archive.read("read-me.html").decode(), archive.read("portable/customers.csv").decode()
    assert "&lt;b&gt;Anna" in page
    assert "purpose" not in page
    assert "for: answer customers" in page
    assert "'=1+1" in sheet
    with pytest.raises(Refusal, match="not there yet"):
        await requested.export(process, shop.store, Asked((meant("c1"),)), to)
    async with scoped(shop.pool, {shop.store}) as conn:
        row = (await requests.listed(conn, limit=9))[0]
    assert (row["kind"], row["state"], row["steps"]) == ("access", "done", {"exported": {"wootstream.customers": 1}})
    await process.close()


async def test_it_says_of_which_part_there_is_more_than_one_file_should_hold(
    shop: KnownShop, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holdings, "MOST_ROWS", 2)
    await shop.customer("c1", email="anna@x.example")
    for number in range(3):
        await shop.put("wootstream.orders", order_id=f"o{number}", customer_id="c1")
    process = Process(settings)
    _, held = await holdings_file.gather(process, shop.store, meant("customer:c1"))
    await process.close()

    assert len(held.tables["wootstream.orders"]) == 2
    [said] = held.tables["parts that are not whole"]
    assert (said["part"], said["because"]) == ("wootstream.orders", "there are more than 2 lines: ask for the others")
