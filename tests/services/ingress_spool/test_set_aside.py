"""Records that Kafka will not have as things are: they wait aside, and nobody waits behind them."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from services.kernel.topics import ensure_topics
from tests.eventually import eventually
from tests.own_kafka import OwnKafka
from tests.services.ingress_spool.bench import open_bench, spooling

pytestmark = pytest.mark.xdist_group("the spool's own Kafka")


async def test_record_too_large_for_the_topic_is_set_aside_and_stops_nobody(
    lone_kafka: OwnKafka, database_url: str, tmp_path: Path
) -> None:
    await lone_kafka.start()
    async with (
        open_bench(lone_kafka.settings, database_url, tmp_path, **{"max.message.bytes": "20000"}) as bench,
        bench.accepting() as (process, acceptance),
    ):
        await bench.keep(acceptance, value=os.urandom(50_000))
        await asyncio.gather(*(bench.keep(acceptance) for _ in range(50)))
        await eventually(lambda: not spooling(process))

        assert process.registry.get_sample_value("wootstream_spool_refused_records") == 1
        assert [record.id for record in await bench.stored()] == bench.kept[1:]


async def test_record_set_aside_is_offered_again_by_the_next_process(
    lone_kafka: OwnKafka, database_url: str, tmp_path: Path
) -> None:
    await lone_kafka.start()
    async with open_bench(lone_kafka.settings, database_url, tmp_path, **{"max.message.bytes": "20000"}) as bench:
        async with bench.accepting() as (process, acceptance):
            await bench.keep(acceptance, value=os.urandom(50_000))
            await eventually(lambda: not spooling(process))
        await ensure_topics(bench.settings, [replace(bench.topic, extra={})])

        async with bench.accepting() as (process, _):
            await eventually(lambda: not spooling(process))

        assert [record.id for record in await bench.stored()] == bench.kept
