"""Kafkas that their tests may kill, shared by them; each leaves them running."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.kernel.telemetry.logs import quiet_client_logs
from tests.own_kafka import OwnKafka, own_kafka


@pytest_asyncio.fixture(scope="session")
async def lone_kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OwnKafka]:
    """In clear."""
    quiet_client_logs()
    async with own_kafka(tmp_path_factory.mktemp("own") / "stack") as node:
        yield node


@pytest_asyncio.fixture(scope="session")
async def tls_kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OwnKafka]:
    """It speaks TLS alone."""
    quiet_client_logs()
    async with own_kafka(tmp_path_factory.mktemp("own-tls") / "stack", over_tls=True) as node:
        yield node
