"""A database that nobody has migrated, a server without our roles and a key of another installation are said with the
cure, and not waited for."""

import asyncio
import base64
import os
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from db.pool import SERVICE, open_pool
from services.kernel import Clock, Process, Settings, Stop
from services.kernel.cli import environment
from services.kernel.preflight import check_keys, wait_for_installation
from services.kernel.run import run
from services.kernel.secrets import Secrets
from services.widget.app import add_to as widget
from tests.databases import copied_database
from tests.eventually import eventually
from tests.services.attached import attach, authorize

_NO_ROLE = "wootstream_that_nobody_made"
_SAID = f"PostgreSQL has no role {_NO_ROLE}: run `wootstream migrate`$"


async def _nothing() -> None:
    """There is nothing else to check."""


async def test_a_service_stops_where_its_role_was_never_made(settings: Settings, database_url: str) -> None:
    pool = open_pool(database_url, _NO_ROLE)
    with pytest.raises(Stop, match=f"^{_SAID}"):
        await wait_for_installation(settings, Clock(), pool, [], _nothing)
    await pool.close()


async def test_a_verb_refuses_where_its_role_was_never_made(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "SERVICE", _NO_ROLE)
    with pytest.raises(Stop, match=_SAID):
        async with environment.database(settings):
            pass


@pytest.mark.usefixtures("topics")
async def test_a_service_beside_a_newer_schema_works_and_says_what_it_does_not_know(
    settings: Settings, migrated: str
) -> None:
    """Between `migrate` and the roll, and where an upgrade went back."""
    async with copied_database(migrated) as url:
        admin = await asyncpg.connect(url)
        await admin.execute("insert into wootstream.migrations (name, sha256) values ('9999_next.sql', '')")
        pool = open_pool(url, SERVICE)
        with capture_logs() as told:
            assert await wait_for_installation(settings, Clock(), pool, [], _nothing)
        await pool.close()
        await admin.close()
    assert [(one["event"], one["migrations"]) for one in told] == [
        ("database_is_of_a_newer_release", ["9999_next.sql"])
    ]


@pytest.fixture
async def sealed(settings: Settings, migrated: str) -> AsyncIterator[tuple[Settings, bytes]]:
    """An installation with a store whose token is sealed with this key."""
    async with copied_database(migrated) as url:
        key = os.urandom(32)
        async with asyncpg.create_pool(url, min_size=0, max_size=1) as admin:
            await authorize(admin, await attach(admin), Secrets(key))
        yield settings.model_copy(update={"database_url": SecretStr(url)}), key


def _given(settings: Settings, *keys: bytes) -> Settings:
    text = ",".join(base64.b64encode(one).decode() for one in keys)
    return settings.model_copy(update={"installation_key": SecretStr(text)})


@pytest.mark.usefixtures("topics")
async def test_consumers_apply_nothing_with_a_key_that_none_of_the_stores_was_sealed_with(
    sealed: tuple[Settings, bytes],
) -> None:
    """Their hashes of who was erased would be nobody's."""
    settings, key = sealed
    processes = list[Process]()

    def seen(process: Process) -> None:
        processes.append(process)
        widget(process)

    assert await run(_given(settings, os.urandom(32)), [seen]) == 1
    assert "WOOTSTREAM_INSTALLATION_KEY_FILE" in str(processes[0].failure)

    running = asyncio.create_task(run(_given(settings, os.urandom(32), key), [seen]))
    await eventually(lambda: len(processes) == 2 and processes[1].site.ready.is_set())
    processes[1].stopping.set()
    assert await running == 0


async def test_any_key_is_good_where_nothing_is_sealed(own_database: str) -> None:
    pool = open_pool(own_database, SERVICE)
    await check_keys(pool, Secrets(uuid.uuid4().bytes * 2))
    await pool.close()
