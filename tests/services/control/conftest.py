"""The verbs find their servers where they look for them, in the environment; the audit's tests have a database each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas import topics
from services.kernel import Settings
from tests.databases import copied_database
from tests.kernel_bench import Bench, open_bench


def point_at(settings: Settings, environment: pytest.MonkeyPatch) -> None:
    """Let the environment name this installation."""
    assert settings.database_url is not None
    assert settings.kafka_bootstrap_servers is not None
    environment.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    environment.setenv("KAFKA_BOOTSTRAP_SERVERS", settings.kafka_bootstrap_servers)
    environment.setenv("WOOTSTREAM_DATA_DIRECTORY", str(settings.data_directory))


@pytest.fixture
def installation(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The session's installation."""
    point_at(settings, monkeypatch)
    return settings


@pytest.fixture
async def bench(kafka: str, migrated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """An installation of one test's own: a verdict on the whole is not spoiled by what other tests left."""
    async with copied_database(migrated) as url, open_bench(kafka, url, tmp_path, partitions=2) as opened:
        point_at(opened.settings, monkeypatch)
        # What other tests leave in the services' topics would wait for services that this installation has none of.
        monkeypatch.setattr(topics, "ALL", ())
        yield opened
