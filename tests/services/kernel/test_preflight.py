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
from services.kernel.preflight import check_keys, tell_of_what_is_lost, wait_for_installation
from services.kernel.run import run
from services.kernel.secrets import Secrets
from services.widget.app import add_to as widget
from tests.databases import copied_database
from tests.eventually import eventually
from tests.services.attached import attach, authorize

_NO_ROLE = "wootstream_that_nobody_made"
_SAID = f"PostgreSQL has no role {_NO_ROLE}: run `wootstream migrate`$"

_ASKED = """
insert into wootstream.privacy_requests (organization_id, id, kind, source, deadline, subject)
values ($1, gen_random_uuid(), 'access', 'verb', now(), $2)
"""


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


async def test_key_that_was_left_out_is_named_with_what_nobody_can_read(migrated: str) -> None:
    """Beside it another one is here that sealed something, too: the hashes of who was erased lack the other's all the
    same."""
    kept, left_out = Secrets(os.urandom(32)), Secrets(os.urandom(32))
    async with copied_database(migrated) as url, asyncpg.create_pool(url, min_size=0, max_size=1) as admin:
        await authorize(admin, await attach(admin), kept)
        await authorize(admin, await attach(admin, slug="nl"), left_out)
        pool = open_pool(url, SERVICE)
        await check_keys(pool, kept)  # one store's secrets are that store's alone
        with capture_logs() as told:
            await tell_of_what_is_lost(pool, kept)
        assert [(one["event"], one["columns"], one["key"]) for one in told] == [
            ("store_cannot_be_read", ["api_access_token"], left_out.key_id)
        ]
        await authorize(admin, await attach(admin, slug="de"), left_out)
        said = f"^installation key {left_out.key_id} is not here .*{kept.key_id}.*api_access_token of de, nl, .*-lost"
        with pytest.raises(Stop, match=said):
            await check_keys(pool, kept)
        await pool.close()


async def test_key_of_a_request_alone_is_told_and_stops_nobody(migrated: str) -> None:
    ours, lost = Secrets(os.urandom(32)), Secrets(os.urandom(32))
    async with copied_database(migrated) as url, asyncpg.create_pool(url, min_size=0, max_size=1) as admin:
        store = await attach(admin)
        await authorize(admin, store, ours)
        async with admin.acquire() as conn:
            subject = lost.seal("email:jan@example.nl", organization=store, column="privacy_requests.subject")
            await conn.execute(_ASKED, store, subject)
        pool = open_pool(url, SERVICE)
        with capture_logs() as told:
            await check_keys(pool, ours)
            await tell_of_what_is_lost(pool, ours)
        await pool.close()
    assert [(one["event"], one["column"], one["rows"], one["key"]) for one in told] == [
        ("people_cannot_be_read", "privacy_requests.subject", 1, lost.key_id)
    ]


async def test_any_key_is_good_where_nothing_is_sealed(own_database: str) -> None:
    pool = open_pool(own_database, SERVICE)
    await check_keys(pool, Secrets(uuid.uuid4().bytes * 2))
    await pool.close()
