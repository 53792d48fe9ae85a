"""A partition without a leader keeps back what belongs to it, and nothing else; a proxy in the protocol plays it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka.partitioner import murmur2

from services.ingress.acceptance import Acceptance
from services.kernel import Record, Settings
from tests.eventually import eventually
from tests.services.ingress.spool.bench import Bench, in_order, open_bench, spooling
from tests.services.ingress.spool.kafka_proxy import KafkaProxy

_KEYS = [f"key-{number}" for number in range(16)]
_LEADERLESS = 0


@dataclass
class Divided:
    """A topic of which one partition may lose its leader."""

    bench: Bench
    proxy: KafkaProxy
    direct: Settings  # past the proxy

    async def keep(self, acceptance: Acceptance, times: int) -> None:
        """So many records of every key."""
        for _ in range(times):
            for key in _KEYS:
                await self.bench.keep(acceptance, key)

    def belonging(self, *, to_the_leaderless: bool) -> set[str]:
        keys = [key for key in _KEYS if (_partition(key) == _LEADERLESS) == to_the_leaderless]
        return {name for number, name in enumerate(self.bench.kept) if _KEYS[number % len(_KEYS)] in keys}

    async def stored(self) -> list[Record]:
        return await replace(self.bench, settings=self.direct).stored()

    async def has(self, names: set[str]) -> bool:
        return {record.id for record in await self.stored()} == names


def _partition(key: str) -> int:
    return int((murmur2(key.encode()) & 0x7FFFFFFF) % 4)


@pytest_asyncio.fixture
async def divided(settings: Settings, database_url: str, tmp_path: Path) -> AsyncIterator[Divided]:
    kafka = settings.kafka_bootstrap_servers or ""
    async with (
        open_bench({"kafka_bootstrap_servers": kafka}, database_url, tmp_path) as bench,
        KafkaProxy(kafka, (bench.topic.name, _LEADERLESS)).listening() as proxy,
    ):
        direct, through = bench.settings, {"kafka_bootstrap_servers": proxy.address}
        bench.settings = direct.model_copy(update=through)
        yield Divided(bench, proxy, direct)


async def test_what_belongs_to_other_partitions_is_drained_while_one_has_no_leader(divided: Divided) -> None:
    async with divided.bench.accepting() as (process, acceptance):
        with divided.proxy.leaderless():
            await divided.keep(acceptance, 40)
            await eventually(lambda: divided.has(divided.belonging(to_the_leaderless=False)))
            await divided.keep(acceptance, 5)  # nor do those wait that come later
            await eventually(lambda: divided.has(divided.belonging(to_the_leaderless=False)))
            assert spooling(process)
        await eventually(lambda: not spooling(process))

    stored = await divided.stored()
    assert {record.id for record in stored} == {*divided.bench.kept}
    assert in_order(stored)


async def test_what_a_partition_kept_back_is_left_to_the_next_process(divided: Divided) -> None:
    with divided.proxy.leaderless():
        async with divided.bench.accepting() as (_, acceptance):
            await divided.keep(acceptance, 20)
            await eventually(lambda: divided.has(divided.belonging(to_the_leaderless=False)))
    async with divided.bench.accepting() as (process, _):
        await eventually(lambda: not spooling(process))

    stored = await divided.stored()
    assert {record.id for record in stored} == {*divided.bench.kept}
    assert in_order(stored)


@pytest.mark.parametrize("key", [key for key in _KEYS if _partition(key) == _LEADERLESS][:1])
async def test_spool_that_holds_only_what_is_kept_back_goes_on_when_the_leader_is_back(
    divided: Divided, key: str
) -> None:
    async with divided.bench.accepting() as (process, acceptance):
        with divided.proxy.leaderless():
            acceptance.switch.spool_first("the test says so")
            for _ in range(300):
                await divided.bench.keep(acceptance, key)
            await eventually(lambda: process.registry.get_sample_value("wootstream_spool_records") == 300)
        await eventually(lambda: not spooling(process))

    assert [record.id for record in await divided.stored()] == divided.bench.kept
