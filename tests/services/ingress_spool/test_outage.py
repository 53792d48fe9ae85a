"""Kafka goes away and comes back while records are accepted."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from asyncio.subprocess import Process as Child
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from services.ingress.acceptance import NoRoom
from services.kernel import Process
from services.kernel.topics import ensure_topics
from tests.eventually import eventually
from tests.services.ingress_spool.bench import Bench, in_order, open_bench
from tests.services.ingress_spool.own_kafka import OwnKafka

pytestmark = pytest.mark.xdist_group("the spool's own Kafka")


async def test_kafka_killed_while_records_are_accepted_refuses_none_and_loses_none(
    bench: Bench, lone_kafka: OwnKafka
) -> None:
    async with bench.accepting() as (process, acceptance):
        until = asyncio.Event()
        sending = asyncio.create_task(bench.send(acceptance, until))
        await eventually(lambda: _kept(process, "kafka") > 100)
        await lone_kafka.kill()
        before = len(bench.kept)
        await eventually(lambda: len(bench.kept) > before + 500)
        await lone_kafka.start()
        await eventually(lambda: not _spooling(process), seconds=20)
        until.set()
        await sending

    stored = await bench.stored()
    assert {record.id for record in stored} == set(bench.kept)
    assert in_order(stored)
    assert {record.origin for record in stored} == {"webhook", "spool"}


async def test_process_that_starts_and_stops_without_kafka_leaves_its_records_to_the_next(
    bench: Bench, lone_kafka: OwnKafka
) -> None:
    await lone_kafka.kill()
    async with bench.accepting() as (_, acceptance):
        await asyncio.gather(*(bench.keep(acceptance, f"key-{number}") for number in range(200)))

    await lone_kafka.start()
    async with bench.accepting() as (process, acceptance):
        await bench.keep(acceptance, "key-0")
        await eventually(lambda: not _spooling(process), seconds=20)

    stored = await bench.stored()
    assert sorted(record.id or "" for record in stored) == sorted(bench.kept)
    assert in_order(stored)
    assert list((bench.settings.data_directory / "spool").iterdir()) == []


async def test_kill_9_of_the_accepting_process_loses_nothing_that_was_promised(
    bench: Bench, lone_kafka: OwnKafka
) -> None:
    accepting = await _accepting(bench, 100_000)
    promised = [await _line(accepting) for _ in range(100)]
    await lone_kafka.kill()
    promised += [await _line(accepting) for _ in range(300)]
    accepting.kill()
    promised += [line async for line in _rest(accepting)]

    await lone_kafka.start()
    draining = await _accepting(bench, 0)
    await eventually(lambda: _all_stored(bench, promised), seconds=30)
    draining.send_signal(signal.SIGTERM)

    assert await draining.wait() == 0
    assert list((bench.settings.data_directory / "spool").iterdir()) == []


async def test_full_spool_refuses_and_says_so_in_ready_until_kafka_is_back(bench: Bench, lone_kafka: OwnKafka) -> None:
    async with bench.accepting(spool_bytes=4 * 1024**2) as (process, acceptance):
        await eventually(lambda: process.publisher.connected)
        await lone_kafka.kill()
        with pytest.raises(NoRoom, match="full"):
            await bench.keep_all(acceptance, (os.urandom(200_000) for _ in range(30)))
        assert "the spool takes no more" in await _ready(process)
        kept = len(bench.kept)
        await lone_kafka.start()
        await eventually(lambda: not _spooling(process), seconds=20)
        await bench.keep(acceptance)
        assert await _ready(process) == "ok"

    assert kept > 10
    assert {record.id for record in await bench.stored()} == set(bench.kept)


async def test_record_too_large_for_the_topic_is_set_aside_and_stops_nobody(
    lone_kafka: OwnKafka, database_url: str, tmp_path: Path
) -> None:
    await lone_kafka.start()
    async with (
        open_bench(lone_kafka.address, database_url, tmp_path, **{"max.message.bytes": "20000"}) as bench,
        bench.accepting() as (process, acceptance),
    ):
        await bench.keep(acceptance, value=os.urandom(50_000))
        await asyncio.gather(*(bench.keep(acceptance) for _ in range(50)))
        await eventually(lambda: not _spooling(process), seconds=20)

        assert process.registry.get_sample_value("wootstream_spool_refused_records") == 1
        assert [record.id for record in await bench.stored()] == bench.kept[1:]


async def test_record_set_aside_is_offered_again_by_the_next_process(
    lone_kafka: OwnKafka, database_url: str, tmp_path: Path
) -> None:
    await lone_kafka.start()
    async with open_bench(lone_kafka.address, database_url, tmp_path, **{"max.message.bytes": "20000"}) as bench:
        async with bench.accepting() as (process, acceptance):
            await bench.keep(acceptance, value=os.urandom(50_000))
            await eventually(lambda: not _spooling(process), seconds=20)
        await ensure_topics(bench.settings, [replace(bench.topic, extra={})])

        async with bench.accepting() as (process, _):
            await eventually(lambda: not _spooling(process), seconds=20)

        assert [record.id for record in await bench.stored()] == bench.kept


def _kept(process: Process, where: str) -> float:
    return process.registry.get_sample_value("wootstream_kept_total", {"where": where}) or 0


def _spooling(process: Process) -> bool:
    return process.registry.get_sample_value("wootstream_spooling") == 1


async def _ready(process: Process) -> str:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(process.site)) as client:
        return (await client.get("http://ingress/ready")).text


async def _accepting(bench: Bench, records: int) -> Child:
    environment = {
        "DATABASE_URL": bench.settings.database_url.get_secret_value() if bench.settings.database_url else "",
        "KAFKA_BOOTSTRAP_SERVERS": bench.settings.kafka_bootstrap_servers or "",
        "WOOTSTREAM_DATA_DIRECTORY": str(bench.settings.data_directory),
        "WOOTSTREAM_HTTP_PORT": "0",
    }
    module = "tests.services.ingress_spool.accepting"
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, bench.topic.name, str(records)), env=os.environ | environment, stdout=PIPE
    )


async def _line(child: Child) -> str:
    assert child.stdout
    async with asyncio.timeout(20):
        return (await child.stdout.readline()).decode().strip()


async def _rest(child: Child) -> AsyncIterator[str]:
    """What it had still said; a line cut short by the kill was no promise."""
    assert child.stdout
    async for line in child.stdout:
        if line.endswith(b"\n"):
            yield line.decode().strip()


async def _all_stored(bench: Bench, promised: list[str]) -> bool:
    return set(promised) <= {record.id for record in await bench.stored()}
