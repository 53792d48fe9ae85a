"""A database that nobody has migrated, on a server without our roles, is said with the cure, and not waited for."""

import pytest

from db.pool import open_pool
from services.kernel import Clock, Settings, Stop
from services.kernel.cli import environment
from services.kernel.preflight import wait_for_installation

_NO_ROLE = "wootstream_that_nobody_made"
_SAID = f"PostgreSQL has no role {_NO_ROLE}: run `wootstream migrate`$"


async def test_a_service_stops_where_its_role_was_never_made(settings: Settings, database_url: str) -> None:
    pool = open_pool(database_url, _NO_ROLE)
    with pytest.raises(Stop, match=f"^{_SAID}"):
        await wait_for_installation(settings, Clock(), pool, [])
    await pool.close()


async def test_a_verb_refuses_where_its_role_was_never_made(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "SERVICE", _NO_ROLE)
    with pytest.raises(Stop, match=_SAID):
        async with environment.database(settings):
            pass
