"""A database of one test's own, whose sweep sees to all of its stores; and a clock that is put forward by hand."""

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from db.pool import PRIVACY, scoped
from db.privacy import requests
from services.kernel import Process, Settings
from services.kernel.forgetting.subjects import Pseudonyms, Subject
from services.privacy.retention.sweep import Sweep, SweepMetrics
from tests.databases import copied_database
from tests.services.attached import attach
from tests.services.noon_clock import NoonClock
from tests.services.privacy.retention.three_years import SHOWN, GeneratedStore, Left

_PUBLIC = ("chatwoot_conversations",)
_KEEPS = "insert into wootstream.retention (organization_id, kind, days) values ($1, $2, $3)"


async def swept(sweep: Sweep) -> None:
    """Everything that one process can."""
    while await sweep.turn():
        pass


@dataclass
class Installation:
    """A database of its own, for a sweep sees to every store of one."""

    process: Process
    clock: NoonClock
    admin: Any

    def sweep(self) -> Sweep:
        """As a process begins it that has just started."""
        return Sweep(self.process, SweepMetrics(CollectorRegistry()))

    async def put(self, store: GeneratedStore) -> None:
        await attach(self.admin, organization_id=store.id, timezone=store.zone)
        async with self.admin.acquire() as conn:
            for kind, days in store.days.items():
                await conn.execute(_KEEPS, store.id, kind, days)
            for table, rows in store.rows.items():
                store.chance.shuffle(rows)
                names = sorted({name for row in rows for name in row})
                await conn.copy_records_to_table(
                    table, schema_name="public" if table in _PUBLIC else "wootstream",
                    columns=["organization_id", *names],
                    records=[(store.id, *(row.get(name) for name in names)) for row in rows],
                )  # fmt: skip

    async def hold(self, store: uuid.UUID, subjects: Iterable[Subject]) -> None:
        pseudonyms = Pseudonyms(self.process.secrets)
        async with scoped(self.process.pool(PRIVACY), {store}) as conn:
            digests = [digest for one in subjects for digest in pseudonyms.of(store, one)]
            await requests.hold(conn, store, digests, "a lawsuit")

    async def left(self, store: GeneratedStore) -> Left:
        result: Left = {}
        async with self.admin.acquire() as conn:
            for table, shown in SHOWN.items():
                schema = "public" if table in _PUBLIC else "wootstream"
                query = f"select * from {schema}.{table} where organization_id = $1"  # noqa: S608
                result[table] = Counter(map(shown, await conn.fetch(query, store.id)))
            days = await conn.fetch(
                "select * from public.chatwoot_conversation_daily where organization_id = $1", store.id
            )
        figures = {
            (row["day"], row["inbox_id"], name): number
            for row in days
            for name, number in row.items()
            if name not in ("organization_id", "day", "inbox_id") and number
        }
        return result | {"days": Counter(figures)}


@pytest.fixture
async def installation(migrated: str, settings: Settings) -> AsyncIterator[Installation]:
    async with copied_database(migrated) as url:
        clock = NoonClock()
        process = Process(Settings.model_validate(settings.model_dump() | {"database_url": url}), clock)
        admin = await asyncpg.create_pool(url, min_size=0, max_size=2)
        yield Installation(process, clock, admin)
        await process.close()
        await admin.close()
