"""A Kafka that its tests may kill, shared by them; each leaves it running."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.kernel.telemetry.logs import quiet_client_logs
from tests.own_kafka import OwnKafka, own_kafka


@pytest_asyncio.fixture(scope="session")
async def tls_kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OwnKafka]:
    quiet_client_logs()
    async with own_kafka(tmp_path_factory.mktemp("own-tls") / "stack") as node:
        yield node
