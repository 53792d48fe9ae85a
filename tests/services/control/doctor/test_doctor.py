"""`wootstream doctor` on real servers and Chatwoot's double: all well is 0, and each fault that is made is found."""

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from db import catalogue
from local.chatwoot import seed
from local.chatwoot.app import serving
from local.chatwoot.double import Double
from local.stack import Stack
from schemas import topics
from schemas.attributes import PUSHED
from schemas.stores import StoreOptions
from services.control.api import _DOCTOR_SECONDS
from services.control.doctor import checkup, kafka_state
from services.control.doctor.checkup import check
from services.control.doctor.finding import Finding, Severity
from services.control.stores import attach
from services.kernel import Clock, Settings
from services.kernel.kafka.topics import Admin, ensure_topics
from tests.databases import copied_database, empty_database
from tests.eventually import eventually
from tests.services.control.conftest import point_at
from tests.services.control.verbs import answer, call
from tests.topics import delete_topics

_TOPIC = topics.Topic(f"doctor.{uuid.uuid4().hex[:10]}", kept_days=1, partitions=1)
_ACCOUNT = 3


@dataclass
class Sick:
    """An installation where all is well, until a fault is made."""

    settings: Settings
    double: Double
    chatwoot: str
    admin: Any

    @property
    def account(self) -> Any:
        return self.double.state.accounts[_ACCOUNT]

    async def found(self, **settings: Any) -> list[Finding]:
        """What is not well."""
        return [one for one in await check(self.settings.model_copy(update=settings)) if one.severity]


@pytest_asyncio.fixture(scope="module")
async def sick(stack: Stack, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sick]:
    """A database and a topic of its own, one store attached to a double where it is set up as wanted."""
    double = Double()
    async with copied_database(migrated) as url, serving(double) as chatwoot:
        data = tmp_path_factory.mktemp("doctor")
        data.chmod(0o700)
        settings = Settings.model_validate(
            {"kafka_bootstrap_servers": stack.kafka, "database_url": url, "data_directory": data, "spool_bytes": 2**22}
        )
        await _set_up(double, settings, chatwoot)
        await ensure_topics(settings, [_TOPIC])
        admin = await asyncpg.connect(url, timeout=30)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(topics, "ALL", (_TOPIC,))
            yield Sick(settings, double, chatwoot, admin)
        await admin.close()
        await delete_topics(settings, [_TOPIC])


async def _set_up(double: Double, settings: Settings, chatwoot: str) -> None:
    account = seed.add_account(double, _ACCOUNT, token="t0ken")
    seed.add_webhook(double, account, f"{settings.public_url}/webhooks/chatwoot/nl", secret="s3cret")
    headers, path = {"api_access_token": "t0ken"}, f"{chatwoot}/api/v1/accounts/{_ACCOUNT}/custom_attribute_definitions"
    async with httpx.AsyncClient(headers=headers) as client:
        for key in sorted(PUSHED):
            made = await client.post(path, json={"attribute_key": key, "attribute_model": "contact_attribute"})
            made.raise_for_status()
    store = {
        "slug": "nl",
        "base_url": chatwoot,
        "account_id": _ACCOUNT,
        "website_token": "website-token",
        "domains": ("nl.example",),
    }
    secrets = {"webhook_secret": "s3cret", "api_access_token": "t0ken"}
    await attach.add(settings, StoreOptions.model_validate(store | secrets))


async def test_all_well_is_zero(sick: Sick, monkeypatch: pytest.MonkeyPatch) -> None:
    point_at(sick.settings, monkeypatch)
    monkeypatch.setenv("WOOTSTREAM_SPOOL_BYTES", str(sick.settings.spool_bytes))

    result = await call("doctor")

    assert result.exit_code == 0, result.output
    assert "all is well" in result.output
    assert "\x1b" not in result.output


async def test_fault_is_three_and_json_names_it_with_its_cure(sick: Sick, monkeypatch: pytest.MonkeyPatch) -> None:
    point_at(sick.settings, monkeypatch)
    monkeypatch.setenv("WOOTSTREAM_SPOOL_BYTES", str(sick.settings.spool_bytes))
    async with deleted_webhook(sick):
        result, told = await call("doctor", "--json"), await answer("doctor")

    assert result.exit_code == 3
    assert told["verdict"] == "fault"
    assert told["findings"][0] == {
        "about": "webhook",
        "severity": "fault",
        "store": "nl",
        "seen": "Chatwoot has none that leads here",
        "cure": "make one to http://127.0.0.1:8080/webhooks/chatwoot/nl there",
    }


@asynccontextmanager
async def deleted_webhook(sick: Sick) -> AsyncIterator[None]:
    [(number, webhook)] = sick.account.webhooks.items()
    del sick.account.webhooks[number]
    yield
    sick.account.webhooks[number] = webhook


@asynccontextmanager
async def fewer_events(sick: Sick) -> AsyncIterator[None]:
    [webhook] = sick.account.webhooks.values()
    before, webhook.subscriptions = webhook.subscriptions, ["message_created"]
    yield
    webhook.subscriptions = before


@asynccontextmanager
async def another_secret(sick: Sick) -> AsyncIterator[None]:
    [webhook] = sick.account.webhooks.values()
    webhook.secret = "another"
    yield
    webhook.secret = "s3cret"


@asynccontextmanager
async def expired_token(sick: Sick) -> AsyncIterator[None]:
    user = sick.double.state.tokens.pop("t0ken")
    yield
    sick.double.state.tokens["t0ken"] = user


@asynccontextmanager
async def no_definition(sick: Sick) -> AsyncIterator[None]:
    number, definition = next(iter(sick.account.definitions.items()))
    del sick.account.definitions[number]
    yield
    sick.account.definitions[number] = definition


@asynccontextmanager
async def unheard_conversation(sick: Sick) -> AsyncIterator[None]:
    path, headers = f"{sick.chatwoot}/api/v1/accounts/{_ACCOUNT}", {"api_access_token": "t0ken"}
    async with httpx.AsyncClient(headers=headers) as client:
        inbox = (await client.post(f"{path}/inboxes", json={"name": "Shop", "channel": {"type": "api"}})).json()["id"]
        contact = (await client.post(f"{path}/contacts", json={"name": "Ada"})).json()["payload"]["contact"]["id"]
        begun = await client.post(f"{path}/conversations", json={"inbox_id": inbox, "contact_id": contact})
        begun.raise_for_status()
    yield
    sick.account.conversations.clear()


@asynccontextmanager
async def statements(sick: Sick, make: str, mend: str) -> AsyncIterator[None]:
    await sick.admin.execute(make)
    yield
    await sick.admin.execute(mend)


@asynccontextmanager
async def missing_migration(sick: Sick) -> AsyncIterator[None]:
    row = await sick.admin.fetchrow("delete from wootstream.migrations where name like '0016%' returning name, sha256")
    yield
    await sick.admin.execute("insert into wootstream.migrations (name, sha256) values ($1, $2)", *row)


@asynccontextmanager
async def dropped_topic_setting(sick: Sick) -> AsyncIterator[None]:
    kept = _TOPIC.overrides(min_insync_replicas=1)
    del kept["retention.ms"]
    async with Admin(sick.settings) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, _TOPIC.name, kept)])
    yield
    await ensure_topics(sick.settings, [_TOPIC])


# Of this database, for whoever connects from now on.
_ALTER = """
do $$ begin execute format('alter database %I {} default_transaction_read_only{}', current_database()); end $$
"""
Fault = Callable[[Sick], AbstractAsyncContextManager[None]]
FAULTS: dict[str, tuple[Fault, Severity, str, str]] = {
    "webhook deleted": (deleted_webhook, Severity.FAULT, "webhook", "none that leads here"),
    "webhook with fewer events": (fewer_events, Severity.FAULT, "webhook", "does not tell of contact_created"),
    "webhook with another secret": (another_secret, Severity.FAULT, "webhook", "signs with another secret"),
    "token expired": (expired_token, Severity.FAULT, "API token", "Chatwoot answers 401"),
    "definition missing": (no_definition, Severity.WARNING, "attributes", "average_order_value"),
    "conversation unheard": (unheard_conversation, Severity.WARNING, "silence", "no webhook was heard ever"),
    "migration missing": (missing_migration, Severity.FAULT, "migrations", "0016_vouching_secret.sql"),
    "topic setting missing": (
        dropped_topic_setting, Severity.FAULT, f"topic {_TOPIC.name}", "retention.ms is 604800000, not 86400000",
    ),
    "grant missing": (
        lambda sick: statements(
            sick,
            "revoke insert on wootstream.refusals from wootstream_ingress",
            "grant insert on wootstream.refusals to wootstream_ingress",
        ),
        Severity.FAULT, "grants", "wootstream_ingress: insert on wootstream.refusals",
    ),
    "row security off": (
        lambda sick: statements(
            sick,
            "alter table wootstream.due no force row level security",
            "alter table wootstream.due force row level security",
        ),
        Severity.FAULT, "roles", "row security of wootstream.due is not forced",
    ),
    "migration missing, and a column that the doors read": (
        lambda sick: statements(
            sick,
            "alter table public.chatwoot_accounts rename seal_version to version_of_seal;"
            " create table kept as select * from wootstream.migrations where name = '0072_seals.sql';"
            " delete from wootstream.migrations where name = '0072_seals.sql'",
            "insert into wootstream.migrations select * from kept; drop table kept;"
            " alter table public.chatwoot_accounts rename version_of_seal to seal_version",
        ),
        Severity.FAULT, "migrations", "1 are missing: 0072_seals.sql",
    ),
    "of a newer release": (
        lambda sick: statements(
            sick,
            "insert into wootstream.migrations (name, sha256) values ('9999_next.sql', '')",
            "delete from wootstream.migrations where name = '9999_next.sql'",
        ),
        Severity.WARNING, "migrations", "1 are of a newer release than this one: 9999_next.sql",
    ),
    "read-only": (
        lambda sick: statements(
            sick, *(f"begin read write; {_ALTER.format(*one)}; commit" for one in (("set", " = on"), ("reset", "")))
        ),
        Severity.FAULT, "PostgreSQL", "takes no change: it is read-only",
    ),
    "no partition ahead": (
        lambda sick: statements(
            sick,
            "create table parted as select inhrelid::regclass::text as name, pg_get_expr(relpartbound, oid) as bound"
            " from pg_inherits join pg_class on oid = inhrelid"
            " where inhparent = 'public.chatwoot_widget_events'::regclass;"
            " do $$ declare p record; begin for p in select * from parted loop execute format("
            "'alter table public.chatwoot_widget_events detach partition %s', p.name); end loop; end $$",
            "do $$ declare p record; begin for p in select * from parted loop execute format("
            "'alter table public.chatwoot_widget_events attach partition %s %s', p.name, p.bound); end loop; end $$;"
            " drop table parted",
        ),
        Severity.FAULT, "widget partitions", "none for today",
    ),
}  # fmt: skip


async def the_one(sick: Sick) -> Finding:
    found = await sick.found()
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_the_one_finding(name: str, sick: Sick) -> None:
    make, severity, about, words = FAULTS[name]
    async with make(sick):
        found = await eventually(partial(the_one, sick))  # Kafka tells of a changed setting a moment later

    assert (found.severity, found.about) == (severity, about)
    assert words in found.seen
    assert found.cure


async def test_who_must_answer_in_time_names_the_stores_that_were_not_looked_at(sick: Sick) -> None:
    """Over HTTP: hundreds of stores take minutes at a quarter of the pace, and a late answer is none."""
    slow = sick.settings.model_copy(update={"chatwoot_calls_per_second": 0.4})  # three calls: half a minute
    async with asyncio.timeout(_DOCTOR_SECONDS):
        [found] = [one for one in await check(slow, within=2.0) if one.severity]

    assert (found.about, found.severity) == ("stores", Severity.WARNING)
    assert found.seen.endswith("s: nl")
    assert "`wootstream doctor`" in found.cure


async def test_key_that_opens_nothing_is_named_with_what_it_does_not_open(sick: Sick) -> None:
    other = sick.settings.data_directory / "other.key"
    other.write_text("A" * 43 + "=")

    found = {one.about: one.seen for one in await sick.found(installation_key_file=other)}

    assert found["keys"].startswith("api_access_token, webhook_secret, event_secret")


async def test_our_clock_is_held_against_kafkas(sick: Sick) -> None:
    seen = await kafka_state.look(sick.settings, [_TOPIC], Clock())

    assert seen.ahead_seconds is not None
    assert abs(seen.ahead_seconds) < 60  # the same machine's, and one that may be busy


async def test_a_server_without_our_roles_is_told_to_migrate(sick: Sick, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a hosted one is before its first `migrate`: another database of the same server may have made them."""
    monkeypatch.setattr(checkup, "SERVICE", "wootstream_that_nobody_made")

    found = {one.about: one for one in await sick.found()}

    assert (found["PostgreSQL"].severity, found["PostgreSQL"].cure) == (Severity.FAULT, "run `wootstream migrate`")


async def test_a_database_that_makes_small_letters_of_ascii_alone_is_seen(migrated: str) -> None:
    """As an operator of Kubernetes makes it where no locale is named."""
    async with empty_database(migrated, "template template0 locale_provider libc locale 'C'") as url:
        seen = {where: (await _server(where))["lowers_all"] for where in (url, migrated)}
    assert seen == {url: False, migrated: True}


async def _server(url: str) -> Any:
    conn = await asyncpg.connect(url)
    try:
        return await catalogue.server(conn)
    finally:
        await conn.close()


async def test_what_hangs_or_is_away_is_a_finding_and_keeps_nobody_waiting(sick: Sick) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{silent.getsockname()[1]}"
    settings = sick.settings.model_copy(update={"kafka_bootstrap_servers": address, "database_url": None})

    found = [one for one in await check(settings, wait=0.5) if one.severity]
    silent.close()

    assert {one.about: one.seen for one in found} == {
        "Kafka": "no answer within 0.5 s",
        "PostgreSQL": "no address is known",
    }
