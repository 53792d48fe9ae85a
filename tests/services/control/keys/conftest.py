"""An installation that a test may spoil."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from local.stack import Stack
from services.kernel import Settings
from tests.databases import copied_database
from tests.services.control.conftest import point_at


@pytest.fixture
async def alone(
    stack: Stack, migrated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Settings]:
    """An installation of one test's own, whose key is in a file."""
    async with copied_database(migrated) as url:
        settings = Settings.model_validate(
            {"database_url": url, "data_directory": tmp_path, "kafka_bootstrap_servers": stack.kafka}
        )
        point_at(settings, monkeypatch)
        yield settings
