"""Records that Kafka will not have as things are: they wait aside, and nobody waits behind them."""

import asyncio
import os
import time
from base64 import b64decode
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from db.pool import Pool
from db.records import spooled, undelivered
from db.records.spooled import SpooledRow
from services.control.ledger.answer import Audit, UndeliveredFile
from services.control.ledger.audit import audit
from services.control.ledger.wording import verdict
from services.kernel import Record, Stop
from services.kernel.forgetting.subjects import Subject
from services.kernel.kafka.topics import ensure_topics
from services.kernel.publishing.verdicts import NeverTaken
from tests.eventually import eventually
from tests.services.attached import attach
from tests.services.control.verbs import answer, call, noted
from tests.services.ingress.spool.bench import Bench, open_bench, spooling
from tests.services.kernel.sealing.sealed_bench import sealer_on


@pytest.fixture
async def narrow(kafka: str, database_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    """A topic that somebody made narrower than ours are."""
    node = {"kafka_bootstrap_servers": kafka}
    async with open_bench(node, database_url, tmp_path, **{"max.message.bytes": "20000"}) as bench:
        yield bench


async def test_record_that_kafka_refuses_for_good_is_refused_and_turns_nobody_to_the_spool(narrow: Bench) -> None:
    async with narrow.accepting() as (process, acceptance):
        await eventually(lambda: process.publisher.connected)
        large = asyncio.gather(
            *(narrow.keep(acceptance, value=os.urandom(50_000)) for _ in range(3)), return_exceptions=True
        )
        await asyncio.gather(*(narrow.keep(acceptance) for _ in range(50)))

        assert {type(one) for one in await large} == {NeverTaken}
        assert process.registry.get_sample_value("wootstream_kept_total", {"where": "kafka"}) == 50
        assert not spooling(process)


async def test_records_refused_for_good_out_of_the_spool_are_set_aside_and_stop_nobody(narrow: Bench) -> None:
    async with narrow.accepting() as (process, acceptance):
        acceptance.switch.spool_first("the test says so")
        sizes = [50_000 if number % 7 == 3 else 100 for number in range(70)]
        await asyncio.gather(
            *(narrow.keep(acceptance, f"{number}", value=os.urandom(size)) for number, size in enumerate(sizes))
        )
        await eventually(lambda: not spooling(process))

        assert process.registry.get_sample_value("wootstream_spool_refused_records") == 10
    assert len(await narrow.stored()) == 60


async def test_what_is_set_aside_is_named_by_the_audit_exported_and_forgotten_once_discarded(
    narrow: Bench, admin_pool: Pool, tmp_path: Path
) -> None:
    values, where = [os.urandom(50_000), os.urandom(60_000)], environment(narrow)
    async with narrow.accepting() as (process, acceptance):
        acceptance.switch.spool_first("the test says so")
        await narrow.keep_all(acceptance, [values[0], b"{}", values[1]])
        await eventually(lambda: not spooling(process))

    found = await audit(narrow.settings)
    [named] = of(narrow, found)
    assert (named.records, named.reason, found.clean) == (2, "MessageSizeTooLargeError", False)
    assert "2 not delivered" in verdict(replace(found, undelivered=[named]))
    [shown] = (await answer("spool", "status", "--seconds", "0.1", environment=where))["set_aside"]
    assert (shown["records"], shown["topic"], shown["file"]) == (2, narrow.topic.name, named.file)
    done = await answer("spool", "export", str(tmp_path / "aside"), environment=where)
    lines = [orjson.loads(line) for line in (tmp_path / "aside").read_bytes().splitlines()]
    assert (done, [b64decode(line["value"]) for line in lines]) == ({"exported": 2, "unreadable": 0}, values)
    assert ["id", narrow.kept[0]] in lines[0]["headers"]
    assert await answer("spool", "discard", "--topic", "another", "--yes", environment=where) == {"discarded": 0}
    assert await answer("spool", "discard", "--yes", environment=where) == {"discarded": 2}
    assert {"spool export", "spool discard"} <= {*await noted(admin_pool, None)}
    async with narrow.accepting():
        pass
    assert of(narrow, await audit(narrow.settings)) == []


async def test_a_file_that_is_damaged_as_a_whole_is_named_and_hides_none_of_the_others(
    narrow: Bench, tmp_path: Path
) -> None:
    broken, where = narrow.settings.data_directory / "spool" / "0.sqlite3", environment(narrow)
    broken.parent.mkdir(parents=True, exist_ok=True)
    broken.write_bytes(b"no database" * 1000)
    async with narrow.accepting() as (process, acceptance):
        acceptance.switch.spool_first("the test says so")
        await narrow.keep_all(acceptance, [os.urandom(50_000)])
        await eventually(lambda: not spooling(process))

    found = await audit(narrow.settings)
    assert [one.reason for one in of(narrow, found)] == ["MessageSizeTooLargeError"]
    [named] = [one for one in found.undelivered if one.directory == str(broken.parent.resolve()) and not one.topic]
    assert (named.file, named.reason) == ("0.sqlite3", "the file is damaged: file is not a database")
    shown = (await answer("spool", "status", "--seconds", "0.1", environment=where))["set_aside"]
    assert [one["file"] == "0.sqlite3" for one in shown] == [True, False]
    done = await answer("spool", "export", str(tmp_path / "aside"), environment=where)
    assert done == {"exported": 1, "unreadable": 1}
    assert await answer("spool", "discard", "--yes", environment=where) == {"discarded": 1}
    assert broken.exists()
    with pytest.raises(
        Stop, match=r"0\.sqlite3 is damaged .*: move it out .* `wootstream spool discard --file 0\.sqlite3`"
    ):
        await call("keys", "list", environment=where)

    broken.rename(tmp_path / "kept")
    async with narrow.accepting():
        pass
    assert [one for one in (await audit(narrow.settings)).undelivered if one.file == "0.sqlite3"]
    await answer("spool", "discard", "--file", "0.sqlite3", "--yes", environment=where)
    assert not [one for one in (await audit(narrow.settings)).undelivered if one.file == "0.sqlite3"]


async def test_what_a_store_sealed_is_exported_as_its_door_took_it(
    narrow: Bench, admin_pool: Pool, tmp_path: Path
) -> None:
    store, value = await attach(admin_pool, seal=True), os.urandom(50_000)
    plain = Record.accepted(narrow.topic.name, key=b"anna", value=value, store=store, event="e", origin="shop",
                            received_at=datetime.now(UTC))  # fmt: skip
    sealer = await sealer_on(narrow.settings, store)
    async with narrow.accepting() as (process, acceptance):
        acceptance.switch.spool_first("the test says so")
        await acceptance.keep(sealer.sealed(plain, [Subject("customer", "anna")]), time.monotonic() + 60)
        await eventually(lambda: not spooling(process))

    await answer("spool", "export", str(tmp_path / "aside"), environment=environment(narrow))

    [line] = [orjson.loads(line) for line in (tmp_path / "aside").read_bytes().splitlines()]
    assert (b64decode(line["key"]), b64decode(line["value"])) == (b"anna", value)


async def test_what_a_lost_disk_held_is_forgotten_when_its_file_is_discarded(narrow: Bench, admin_pool: Pool) -> None:
    async with narrow.accepting(), admin_pool.acquire() as conn:
        line = "lost.sqlite3", narrow.topic.name, "damaged", 7, datetime.now(UTC)
        await undelivered.tell(conn, "a host", "/that/is/gone", ["lost.sqlite3"], [line])
        await spooled.tell(conn, "a host", "/that/is/gone", ["lost.sqlite3"], [SpooledRow(line[0], 12, line[4])])
    assert [one.records for one in of(narrow, await audit(narrow.settings))] == [7]

    done = await answer("spool", "discard", "--file", "lost.sqlite3", "--yes", environment=environment(narrow))

    after = await audit(narrow.settings)
    assert (done, of(narrow, after)) == ({"discarded": 19}, [])
    assert "lost.sqlite3" not in {one.file for one in after.spooled}


def environment(bench: Bench) -> dict[str, str]:
    url = bench.settings.database_url
    assert url is not None
    directory = str(bench.settings.data_directory)
    return {"WOOTSTREAM_DATA_DIRECTORY": directory, "DATABASE_URL": url.get_secret_value()}


def of(bench: Bench, found: Audit) -> list[UndeliveredFile]:
    return [one for one in found.undelivered if one.topic == bench.topic.name]


async def test_record_set_aside_is_offered_again_by_the_next_process(narrow: Bench) -> None:
    async with narrow.accepting() as (process, acceptance):
        acceptance.switch.spool_first("the test says so")
        await narrow.keep(acceptance, value=os.urandom(50_000))
        await eventually(lambda: not spooling(process))
    await ensure_topics(narrow.settings, [replace(narrow.topic, extra={})])

    async with narrow.accepting() as (process, _):
        await eventually(lambda: not spooling(process))

    assert [record.id for record in await narrow.stored()] == narrow.kept
