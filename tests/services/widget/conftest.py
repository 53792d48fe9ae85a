"""Both ways in which rows of events go to PostgreSQL."""

import pytest

from db.widget import event_rows


@pytest.fixture(params=[1, 1_000_000], ids=["by copy", "by arrays"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many they are, all rows go one way."""
    monkeypatch.setattr(event_rows, "_MANY", request.param)
