"""Services wait less here, and a Kafka that its tests may kill, shared by them; each leaves it running."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.ingress.stores import lookup
from services.kernel.consuming import consume, positions
from services.kernel.telemetry.logs import quiet_client_logs
from services.kernel.web import callers
from tests.own_kafka import OwnKafka, comes_last, own_kafka

# What spares a server work, or keeps a guesser waiting, and what a test would only wait for.
_WAITS = {
    (positions, "_LOOK_SECONDS"): 0.5,
    (consume, "_STOPPING_SECONDS"): 0.01,
    (lookup, "_PAUSE_SECONDS"): 0.05,
    (callers, "_MOST_SECONDS"): 0.1,
}


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for (module, name), seconds in _WAITS.items():
        monkeypatch.setattr(module, name, seconds)


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
