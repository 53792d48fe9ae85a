"""Kafka goes away and comes back while records are accepted, over TLS with a password, as it is run."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from asyncio.subprocess import Process as Child
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from local.process_environment import environment_of
from services.ingress.acceptance import NoRoom
from services.kernel import Process
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.own_kafka import OwnKafka
from tests.services.ingress.spool.bench import Bench, in_order, open_bench, spooling

pytestmark = pytest.mark.xdist_group("the Kafka over TLS")


@pytest_asyncio.fixture
async def bench(tls_kafka: OwnKafka, database_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    await tls_kafka.start()
    async with open_bench(tls_kafka.settings, database_url, tmp_path / "data") as opened:
        yield opened


async def test_kafka_killed_while_records_are_accepted_refuses_none_and_loses_none(
    bench: Bench, tls_kafka: OwnKafka
) -> None:
    async with bench.accepting() as (process, acceptance):
        until = asyncio.Event()
        sending = asyncio.create_task(bench.send(acceptance, until))
        await eventually(lambda: _kept(process, "kafka") > 100)
        await tls_kafka.kill()
        before = len(bench.kept)
        await eventually(lambda: len(bench.kept) > before + 500)
        await tls_kafka.start()
        await eventually(lambda: not spooling(process))
        until.set()
        await sending

    stored = await bench.stored()
    assert {record.id for record in stored} == set(bench.kept)
    assert in_order(stored)
    assert {record.origin for record in stored} == {"webhook", "spool"}


async def test_process_that_starts_and_stops_without_kafka_leaves_its_records_to_the_next(
    bench: Bench, tls_kafka: OwnKafka
) -> None:
    await tls_kafka.kill()
    async with bench.accepting() as (_, acceptance):
        await asyncio.gather(*(bench.keep(acceptance, f"key-{number}") for number in range(200)))

    await tls_kafka.start()
    async with bench.accepting() as (process, acceptance):
        await bench.keep(acceptance, "key-0")
        await eventually(lambda: not spooling(process))

    stored = await bench.stored()
    assert sorted(record.id or "" for record in stored) == sorted(bench.kept)
    assert in_order(stored)
    assert list((bench.settings.data_directory / "spool").iterdir()) == []


async def test_kill_9_of_the_accepting_process_loses_nothing_that_was_promised(
    bench: Bench, tls_kafka: OwnKafka
) -> None:
    accepting = await _accepting(bench, 100_000)
    promised = [await _line(accepting) for _ in range(100)]
    await tls_kafka.kill()
    promised += [await _line(accepting) for _ in range(300)]
    accepting.kill()
    promised += [line async for line in _rest(accepting)]

    await tls_kafka.start()
    draining = await _accepting(bench, 0)
    await eventually(lambda: _all_stored(bench, promised))
    draining.send_signal(signal.SIGTERM)

    assert await draining.wait() == 0
    assert list((bench.settings.data_directory / "spool").iterdir()) == []


async def test_full_spool_refuses_and_says_so_in_ready_until_kafka_is_back(bench: Bench, tls_kafka: OwnKafka) -> None:
    async with bench.accepting(spool_bytes=4 * 1024**2) as (process, acceptance):
        await eventually(lambda: process.publisher.connected)
        await tls_kafka.kill()
        with pytest.raises(NoRoom, match="full"):
            await bench.keep_all(acceptance, (os.urandom(200_000) for _ in range(30)))
        assert "the spool takes no more" in await _ready(process)
        kept = len(bench.kept)
        await tls_kafka.start()
        await eventually(lambda: not spooling(process))
        await bench.keep(acceptance)
        assert await _ready(process) == "ok"

    assert kept > 10
    assert {record.id for record in await bench.stored()} == set(bench.kept)


def _kept(process: Process, where: str) -> float:
    return process.registry.get_sample_value("wootstream_kept_total", {"where": where}) or 0


async def _ready(process: Process) -> str:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(process.site)) as client:
        return (await client.get("http://ingress/ready")).text


async def _accepting(bench: Bench, records: int) -> Child:
    module = "tests.services.ingress.spool.accepting"
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, bench.topic.name, str(records)),
        env=os.environ | environment_of(bench.settings),
        stdout=PIPE,
    )


async def _line(child: Child) -> str:
    assert child.stdout
    async with asyncio.timeout(PATIENCE_SECONDS):
        return (await child.stdout.readline()).decode().strip()


async def _rest(child: Child) -> AsyncIterator[str]:
    """What it had still said; a line cut short by the kill was no promise."""
    assert child.stdout
    async for line in child.stdout:
        if line.endswith(b"\n"):
            yield line.decode().strip()


async def _all_stored(bench: Bench, promised: list[str]) -> bool:
    return set(promised) <= {record.id for record in await bench.stored()}
