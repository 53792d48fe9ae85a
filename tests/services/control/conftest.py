"""The verbs find the session's servers where they look for them: in the environment."""

import pytest

from services.kernel import Settings


@pytest.fixture
def installation(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The session's installation, as the environment names it."""
    assert settings.database_url is not None
    assert settings.kafka_bootstrap_servers is not None
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", settings.kafka_bootstrap_servers)
    monkeypatch.setenv("WOOTSTREAM_DATA_DIRECTORY", str(settings.data_directory))
    return settings
