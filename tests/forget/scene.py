"""One installation with its services and its Chatwoot, its database as it was yesterday, and a spool left behind."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from db.migrate import migrate
from db.pool import scoped, use_json
from schemas import topics
from services.contacts import events as contact_events
from services.contacts import handlers as contact_handlers
from services.control.ledger.topic_logs import look
from services.conversations import events as conversation_events
from services.conversations import handlers as conversation_handlers
from services.customers import events as shop_events
from services.customers import handlers as shop_handlers
from services.customers.visits import events as visit_events
from services.customers.visits import handlers as visit_handlers
from services.ingress.app import acceptance_of
from services.kernel import Chatwoot, Process, Record, Settings, consume
from services.kernel.forgetting.sieve import nobody
from services.kernel.sealing.planting import sealer_now
from services.kernel.secrets import load_secrets, read_keys
from services.privacy.app import add_to as add_privacy
from services.widget import events as widget_events
from services.widget import handlers as widget_handlers
from tests.answering import Answering
from tests.eventually import eventually
from tests.forget.people import whose
from tests.services.attached import attach, authorize
from tests.services.contacts.api import ContactsDouble
from tests.services.ingress.spool.shelf_bench import opened, put

_GROUPS: dict[str, tuple[topics.Topic, Any, Any, Any]] = {
    "conversations": (
        topics.WEBHOOKS,
        conversation_events.read,
        conversation_handlers.keep,
        conversation_events.subjects,
    ),
    "contacts": (topics.WEBHOOKS, contact_events.read, contact_handlers.keep, contact_events.subjects),
    "customers": (topics.SHOP_EVENTS, shop_events.read, shop_handlers.keep_facts, shop_events.subjects),
    "visits": (topics.WIDGET_EVENTS, visit_events.read, visit_handlers.keep, visit_events.subjects),
    "widget": (topics.WIDGET_EVENTS, widget_events.read, widget_handlers.keep, widget_events.subjects),
}


@dataclass
class Scene:
    """`settings` name the database that is used now."""

    settings: Settings
    store: uuid.UUID
    api: ContactsDouble = field(default_factory=ContactsDouble)

    async def as_doors_take(self, records: Sequence[Record]) -> list[Record]:
        """Sealed, where the store seals."""
        process = Process(self.settings)
        try:
            async with scoped(process.pool(), {self.store}) as conn:
                sealer = await sealer_now(conn, self.store, process.secrets, process.clock.now())
            return [sealer.sealed(one, whose(one)) if sealer else one for one in records]
        finally:
            await process.close()

    @property
    def url(self) -> str:
        assert self.settings.database_url
        return self.settings.database_url.get_secret_value()

    @property
    def host(self) -> str:
        return f"{self.store.hex}.example"

    def on(self, database_url: str) -> "Scene":
        """The same installation with another database."""
        settings = self.settings.model_copy(update={"database_url": SecretStr(database_url)})
        return Scene(settings, self.store, self.api)

    async def _process(self) -> Process:
        process = Process(self.settings)
        await process.chatwoot.close()
        process.chatwoot = Chatwoot(self.settings, process.clock, CollectorRegistry(), Answering(self.api.answer))
        return process

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[Process]:
        """What a verb has: it consumes nothing."""
        process = await self._process()
        connecting = asyncio.create_task(process.publisher.connect())
        try:
            await eventually(lambda: process.publisher.connected)
            yield process
        finally:
            connecting.cancel()
            await process.close()

    @asynccontextmanager
    async def running(self, *, groups: str = "", privacy: bool = False, blind: bool = False) -> AsyncIterator[Process]:
        """The consumers, in groups whose names end so; `blind` ones do not ask who was erased."""
        process = await self._process()
        for name, (topic, read, apply, subjects) in _GROUPS.items():
            consume(process, topic, group=name + groups, read=read, apply=apply,
                    subjects=nobody if blind else subjects)  # fmt: skip
        if privacy:
            add_privacy(process)
        serving = asyncio.create_task(process.serve())
        try:
            await eventually(lambda: process.publisher.connected)
            yield process
        finally:
            process.stopping.set()
            assert await serving == 0, process.failure

    async def consume_all(self, groups: str = "", *, privacy: bool = False, blind: bool = False) -> None:
        """Until each group has come to the end of its logs, and no erasure is open."""
        async with self.running(groups=groups, privacy=privacy, blind=blind):
            await self.caught_up(groups, privacy=privacy)

    async def caught_up(self, groups: str = "", *, privacy: bool = False) -> None:
        wanted = {name + groups: topic.name for name, (topic, *_) in _GROUPS.items()}
        if privacy:
            wanted["privacy"] = topics.PRIVACY_REQUESTS.name
        conn = await asyncpg.connect(self.url, timeout=30)

        async def reached() -> bool:
            cluster = await look(self.settings, set(wanted.values()))
            rows = await conn.fetch("select consumer_group, topic, partition, next_offset from wootstream.ledger")
            at = {(row["consumer_group"], row["topic"], row["partition"]): row["next_offset"] for row in rows}
            behind = [
                (group, partition)
                for group, topic in wanted.items()
                for (name, partition), log in cluster.logs.items()
                if name == topic and at.get((group, topic, partition), log.begin) < log.end
            ]
            left = await conn.fetchval("select count(*) from wootstream.privacy_requests where state <> 'done'")
            assert (behind, left) == ([], 0), f"behind: {behind}, open erasures: {left}"
            return True

        try:
            await eventually(reached)
        finally:
            await conn.close()

    async def spool(self, records: Sequence[Record]) -> None:
        """As an ingress leaves them behind that was killed while Kafka was away."""
        async with opened(self.settings.data_directory / "spool", key=read_keys(self.settings)[0]) as spool:
            await put(spool, records)

    async def drain(self) -> int:
        """What an ingress does that starts where the other one died; how many records it found."""
        process = Process(self.settings)
        spool = acceptance_of(process).spool
        found = spool.records
        serving = asyncio.create_task(process.serve())
        try:
            await eventually(lambda: spool.records == 0)
        finally:
            process.stopping.set()
            assert await serving == 0, process.failure
        return found


async def scene_on(settings: Settings, url: str, directory: Path, *, seal: bool = False) -> Scene:
    """A new installation in this empty database; its store may `seal` its records."""
    await migrate(url)
    settings = settings.model_copy(update={"database_url": SecretStr(url), "data_directory": directory})
    admin: Any = await asyncpg.create_pool(url, min_size=0, max_size=2, timeout=30, init=use_json)
    try:
        store = await attach(admin, push="off", seal=seal)
        await authorize(admin, store, load_secrets(settings))
    finally:
        await admin.close()
    return Scene(settings, store)


async def copy_database(url: str, name: str) -> str:
    """Put beside it, as a dump that was restored would be. Nobody may be connected."""
    parts = urlsplit(url)
    system = await asyncpg.connect(parts._replace(path="/postgres").geturl(), timeout=30)
    try:
        await system.execute(f'create database "{name}" template "{parts.path[1:]}"')
    finally:
        await system.close()
    return parts._replace(path=f"/{name}").geturl()


async def drop_database(url: str) -> None:
    parts = urlsplit(url)
    system = await asyncpg.connect(parts._replace(path="/postgres").geturl(), timeout=30)
    try:
        await system.execute(f'drop database if exists "{parts.path[1:]}" with (force)')
    finally:
        await system.close()
