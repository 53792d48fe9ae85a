"""A shop's past is read in once, however often it is interrupted, and written out as it can be read in again."""

import asyncio
import csv
import io
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from db.pool import Pool, scoped
from schemas.topics import SHOP_EVENTS
from services.customers import handlers
from services.customers.events import ShopFact, read
from services.customers.past.csv_file import Bookmark, PastFile
from services.customers.past.shop_line import reader_of
from services.kernel import Record, Refusal, Settings
from services.kernel.publishing.publish import Publisher
from tests.services.attached import attach
from tests.services.control.verbs import answer, call

_CUSTOMERS = "customer_id;email;name;marketing_consent;registered_at\n"


@pytest.fixture
def here(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The session's installation, for verbs."""
    for name in ("kafka_bootstrap_servers", "data_directory"):
        monkeypatch.setenv(Settings.variable(name), str(getattr(settings, name)))
    assert settings.database_url is not None
    monkeypatch.setenv(Settings.variable("database_url"), settings.database_url.get_secret_value())
    return settings


async def _slug(admin: Pool, store: UUID) -> str:
    async with admin.acquire() as conn:
        slug: str = await conn.fetchval("select slug from public.chatwoot_accounts where organization_id = $1", store)
    return slug


async def _sent(settings: Settings, store: UUID) -> list[ShopFact]:
    """What lies in the topic of this store, in its order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [
            TopicPartition(SHOP_EVENTS.name, one)
            for one in consumer.partitions_for_topic(SHOP_EVENTS.name) or await _found(consumer)
        ]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        facts = []
        while any([await consumer.position(one) < end for one, end in ends.items()]):
            for some in (await consumer.getmany(timeout_ms=500)).values():
                facts += [
                    read(Record.consumed(one)) for one in some if (one.key or b"").startswith(str(store).encode())
                ]
        return [one for one in facts if one is not None]
    finally:
        await consumer.stop()


async def _found(consumer: Any) -> set[int]:
    await consumer._client.force_metadata_update()
    consumer.subscribe([SHOP_EVENTS.name])
    while not (found := consumer.partitions_for_topic(SHOP_EVENTS.name)):
        await asyncio.sleep(0)
    consumer.unsubscribe()
    return set(found)


async def _keep(pool: Pool, store: UUID, facts: list[ShopFact]) -> int:
    async with scoped(pool, {store}) as conn:
        return len(await handlers.keep_facts(conn, facts))


def _lines(count: int) -> Iterator[str]:
    for number in range(count):
        consent = "true" if number % 2 else ""
        yield f'c{number};c{number}@x.example;"Jan; {number}";{consent};2020-01-01T00:00:00+00:00\n'


@pytest.mark.usefixtures("topics")
async def test_a_shops_customers_come_out_as_they_went_in(
    here: Settings, pool: Pool, admin_pool: Pool, tmp_path: Path
) -> None:
    store = await attach(admin_pool)
    slug, file = await _slug(admin_pool, store), tmp_path / "customers.csv"
    file.write_text(
        "\ufeff" + _CUSTOMERS + "".join(_lines(1_200)) + "c9;too;few\n;no@id.example;x;;\n", encoding="utf-8"
    )
    done = await call("import", "customers", slug, str(file), "--json")
    counts = orjson.loads(done.stdout)
    assert counts.pop("lines_per_second") == pytest.approx(1_202 / counts.pop("seconds"), rel=0.01)
    assert (done.exit_code, counts) == (1, {"lines": 1_202, "events": 1_200, "refused": 2, "skipped": 0})
    refused = (tmp_path / "customers.csv.refused.csv").read_text().splitlines()
    assert refused[0] == "customer_id;email;name;marketing_consent;registered_at;reason"
    assert "has 3 cells, the first line 5" in refused[1]
    assert "customer_id" in refused[2]
    assert list(tmp_path.glob("*.progress")) == []

    assert await _keep(pool, store, await _sent(here, store)) == 1_200
    out = (await call("export", "customers", slug)).stdout
    rows = {row["customer_id"]: row for row in csv.DictReader(io.StringIO(out))}
    assert len(rows) == 1_200
    assert (rows["c7"]["name"], rows["c7"]["email"], rows["c7"]["marketing_consent"]) == (
        "Jan; 7",
        "c7@x.example",
        "true",
    )

    (tmp_path / "again.csv").write_text(out)
    assert (await answer("import", "customers", slug, str(tmp_path / "again.csv")))["events"] == 1_200
    before = out
    await _keep(pool, store, await _sent(here, store))
    assert (await call("export", "customers", slug)).stdout == before


@pytest.mark.usefixtures("topics")
async def test_of_lines_about_one_moment_the_one_that_was_read_last_counts(
    here: Settings, pool: Pool, admin_pool: Pool, tmp_path: Path
) -> None:
    store = await attach(admin_pool)
    slug, people, orders = await _slug(admin_pool, store), tmp_path / "people.csv", tmp_path / "orders.csv"
    said, wanted = "2026-11-01T09:00:00+00:00", {f"c{number}": f"right {number}" for number in range(8)}
    for names in (dict.fromkeys(wanted, "wrong"), wanted):  # by chance, of which the hash is greater
        cells = [f"{one},{name},{said}\n" for one, name in names.items()]
        people.write_text("customer_id,name,updated_at\n" + "".join(cells))
        amounts = [f"o-{one},{one},EUR,{7 if name == 'wrong' else 5}.00,{said}\n" for one, name in names.items()]
        orders.write_text("order_id,customer_id,currency,amount,placed_at\n" + "".join(amounts))
        for file in (people, orders):
            assert (await answer("import", "customers", slug, str(file)))["events"] == len(wanted)

    sent = await _sent(here, store)
    random.Random(1).shuffle(sent)  # they wait in several partitions
    await _keep(pool, store, sent)

    async with scoped(pool, {store}) as conn:
        people_now = await conn.fetch("select customer_id, name from wootstream.customers")
        totals = await conn.fetch("select total_minor from wootstream.orders")
    assert {row["customer_id"]: row["name"] for row in people_now} == wanted
    assert [row["total_minor"] for row in totals] == [5_00] * len(wanted)


async def test_what_a_customer_is_called_is_no_formula_in_a_sheet_and_comes_back(
    here: Settings, pool: Pool, admin_pool: Pool, tmp_path: Path
) -> None:
    store = await attach(admin_pool)
    names = {"c1": '=HYPERLINK("https://x.example?"&B2)', "c2": "'@x", "=c3": "Anna", "c4": None}
    async with admin_pool.acquire() as conn:
        for customer, name in names.items():
            await conn.execute(
                "insert into wootstream.customers (organization_id, customer_id, name, phone) values ($1, $2, $3, $4)",
                store, customer, name, "+31612345678",
            )  # fmt: skip
    out = (await call("export", "customers", await _slug(admin_pool, store))).stdout
    rows = list(csv.DictReader(io.StringIO(out)))
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "@", "-"))]
    assert {row["phone"] for row in rows} == {"+31612345678"}
    read_in = [event["data"] for row in rows for event in reader_of([*row])(row, datetime.now(UTC))]
    assert {one["customer_id"]: one.get("name") for one in read_in} == names


@pytest.mark.usefixtures("topics")
async def test_what_is_interrupted_goes_on_where_it_was_and_counts_once(
    here: Settings, pool: Pool, admin_pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, seed = await attach(admin_pool), random.randrange(2**32)
    print("seed", seed)
    chance, slug, file = random.Random(seed), await _slug(admin_pool, store), tmp_path / "orders.csv"
    lines = [f"o{n},c{n % 7},EUR,{n}.50,2026-01-01T00:00:00Z,2026-01-02T00:00:00Z,#{n}\n" for n in range(1_700)]
    file.write_text("order_id,customer_id,currency,amount,placed_at,paid_at,order_number\n" + "".join(lines))
    real, left = Publisher.publish_all, chance.randrange(1, 3)

    async def dying(self: Publisher, records: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return await real(self, records)

    monkeypatch.setattr(Publisher, "publish_all", dying)
    with pytest.raises(BaseException, match="goes on where it was"):
        await call("import", "customers", slug, str(file))
    monkeypatch.setattr(Publisher, "publish_all", real)
    done = await answer("import", "customers", slug, str(file))
    assert done["lines"] + done["skipped"] == 1_700
    assert done["skipped"] in (500, 1_000)

    assert await _keep(pool, store, await _sent(here, store)) == 3_400
    out = list(csv.DictReader(io.StringIO((await call("export", "customers", slug, "--orders")).stdout)))
    assert {row["order_id"]: (row["amount"], row["order_number"]) for row in out} == {
        f"o{n}": (f"{n}.50", f"#{n}") for n in range(1_700)
    }


def test_a_file_whose_first_line_is_none_of_a_table_is_refused_before_all_of_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "picture.csv").write_bytes(b"\0" * 1_000_000)
    with pytest.raises(Refusal, match="no line of CSV"):
        PastFile(str(tmp_path / "picture.csv"))


def test_two_readings_of_one_file_do_not_take_each_others_bookmark_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, real, pid = tmp_path / "orders.csv", os.replace, os.getpid()
    file.write_text("order_id\n")
    ours, theirs = Bookmark.of(file, "nl"), Bookmark.of(file, "nl")

    def between(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "replace", real)
        monkeypatch.setattr(os, "getpid", lambda: pid + 1)
        theirs.move(5)
        real(source, target)

    monkeypatch.setattr(os, "replace", between)
    ours.move(3)
    assert Bookmark.of(file, "nl").lines == 3
