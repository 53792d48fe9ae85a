"""The spool's tests share a Kafka that each of them may kill; each leaves it running."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.own_kafka import OwnKafka
from tests.services.ingress.spool.bench import Bench, open_bench


@pytest_asyncio.fixture
async def bench(lone_kafka: OwnKafka, database_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    await lone_kafka.start()
    async with open_bench(lone_kafka.settings, database_url, tmp_path / "data") as opened:
        yield opened
