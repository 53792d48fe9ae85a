"""Records that Kafka will not have as things are: they wait aside, and nobody waits behind them."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.kernel.publishing.verdicts import NeverTaken
from services.kernel.topics import ensure_topics
from tests.eventually import eventually
from tests.own_kafka import OwnKafka
from tests.services.ingress_spool.bench import Bench, open_bench, spooling

pytestmark = pytest.mark.xdist_group("the spool's own Kafka")


@pytest.fixture
async def narrow(lone_kafka: OwnKafka, database_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    """A topic that somebody made narrower than ours are."""
    await lone_kafka.start()
    async with open_bench(lone_kafka.settings, database_url, tmp_path, **{"max.message.bytes": "20000"}) as bench:
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


async def test_record_set_aside_is_offered_again_by_the_next_process(narrow: Bench) -> None:
    async with narrow.accepting() as (process, acceptance):
        acceptance.switch.spool_first("the test says so")
        await narrow.keep(acceptance, value=os.urandom(50_000))
        await eventually(lambda: not spooling(process))
    await ensure_topics(narrow.settings, [replace(narrow.topic, extra={})])

    async with narrow.accepting() as (process, _):
        await eventually(lambda: not spooling(process))

    assert [record.id for record in await narrow.stored()] == narrow.kept
