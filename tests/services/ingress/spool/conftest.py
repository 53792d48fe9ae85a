"""A bench on the session's Kafka, and on one that goes away and comes back as its test wants."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest_asyncio

from tests.services.ingress.spool.bench import Bench, open_bench
from tests.services.ingress.spool.kafka_proxy import KafkaProxy


@pytest_asyncio.fixture
async def bench(kafka: str, database_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_bench({"kafka_bootstrap_servers": kafka}, database_url, tmp_path / "data") as opened:
        yield opened


@pytest_asyncio.fixture
async def proxy(kafka: str) -> AsyncIterator[KafkaProxy]:
    async with KafkaProxy(kafka).listening() as listening:
        yield listening


@pytest_asyncio.fixture
async def remote(bench: Bench, proxy: KafkaProxy) -> Bench:
    """The bench behind the proxy: for it, Kafka is away where the proxy is."""
    return replace(bench, settings=bench.settings.model_copy(update={"kafka_bootstrap_servers": proxy.address}))
