"""A Kafka that its tests may kill, shared by them; each leaves it running."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.kernel.telemetry.logs import quiet_client_logs
from tests.own_kafka import OwnKafka, comes_last, own_kafka


@pytest_asyncio.fixture(scope="session")
async def shared_kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OwnKafka]:
    quiet_client_logs()
    async with own_kafka(tmp_path_factory.mktemp("own-tls") / "stack") as node:
        yield node


@pytest_asyncio.fixture
async def tls_kafka(shared_kafka: OwnKafka, request: pytest.FixtureRequest) -> AsyncIterator[OwnKafka]:
    """It may have been left dead: who needs it alive starts it."""
    yield shared_kafka
    if comes_last(request, "tls_kafka"):
        await shared_kafka.end()
