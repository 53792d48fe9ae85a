"""The spool's tests share a Kafka that each of them may kill; each leaves it running."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.kernel.logs import quiet_client_logs
from tests.services.ingress_spool.bench import Bench, open_bench
from tests.services.ingress_spool.own_kafka import OwnKafka, own_kafka


@pytest_asyncio.fixture(scope="session")
async def lone_kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OwnKafka]:
    quiet_client_logs()
    async with own_kafka(tmp_path_factory.mktemp("own") / "stack") as node:
        yield node


@pytest_asyncio.fixture
async def bench(lone_kafka: OwnKafka, database_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    await lone_kafka.start()
    async with open_bench(lone_kafka.address, database_url, tmp_path / "data") as opened:
        yield opened
