"""What Kafka acknowledged, as the audit sees it: while PostgreSQL is away, in topics made again, by many processes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import asyncpg

from db.pool import INGRESS, Pool, Row, open_pool
from db.records import acknowledged as table
from services.control.ledger.answer import AuditLine
from services.control.ledger.audit import audit
from services.ingress.acknowledged import AcknowledgedWriter
from services.ingress.spool.metrics import SpoolMetrics
from services.kernel import Process
from tests.eventually import eventually
from tests.services.ingress.spool.bench import Bench, spooling
from tests.topics import make_again

_SILENT = "update wootstream.acknowledged set alive_at = now() - interval '2 hours' where topic = $1"


async def rows(pool: Pool, topic: str) -> list[Row]:
    async with pool.acquire() as conn:
        found = await conn.fetch("select * from wootstream.acknowledged where topic = $1 order by updated_at", topic)
    return [dict(row) for row in found]


async def lines(bench: Bench) -> list[AuditLine]:
    """But for the time that passes between two audits."""
    found = (await audit(bench.settings)).lines
    return [replace(line, unread_seconds=0) for line in found if line.topic == bench.topic.name]


@asynccontextmanager
async def refused_connections(database_url: str) -> AsyncIterator[None]:
    """PostgreSQL takes nobody new into this database."""
    url = urlsplit(database_url)
    system = await asyncpg.connect(url._replace(path="/postgres").geturl())
    try:
        await system.execute(f"alter database {url.path[1:]} with allow_connections false")
        yield
    finally:
        await system.execute(f"alter database {url.path[1:]} with allow_connections true")
        await system.close()


async def keep(bench: Bench, count: int) -> None:
    """One process's life: it accepts and stops."""
    async with bench.accepting() as (process, acceptance):
        await eventually(lambda: process.publisher.connected)
        await asyncio.gather(*(bench.keep(acceptance, "k") for _ in range(count)))


async def test_audit_finds_what_every_process_saw_acknowledged_and_misses_nothing(
    bench: Bench, admin_pool: Pool
) -> None:
    await keep(bench, 30)
    await keep(bench, 20)

    first, second = await rows(admin_pool, bench.topic.name)
    assert (first["accepted"], second["accepted"], second["highest_offset"]) == (30, 20, 49)
    assert first["instance"] != second["instance"]
    assert [(line.in_flight, line.truncated) for line in await lines(bench)] == [(50, 0)]


async def test_topic_made_again_under_a_living_process_keeps_the_witness_of_what_is_gone(
    bench: Bench, admin_pool: Pool
) -> None:
    async with bench.accepting() as (process, acceptance):
        await eventually(lambda: process.publisher.connected)
        await asyncio.gather(*(bench.keep(acceptance) for _ in range(30)))
        await make_again(bench.settings, bench.topic)
        await bench.keep(acceptance)
        await eventually(lambda: not spooling(process))

    before, after = await rows(admin_pool, bench.topic.name)
    assert (before["accepted"], before["highest_offset"]) == (30, 29)
    assert (after["accepted"], after["highest_offset"]) == (1, 0)
    assert [line.truncated for line in await lines(bench)] == [29]


async def test_counts_wait_for_postgresql_and_are_written_when_it_is_back(
    bench: Bench, admin_pool: Pool, database_url: str
) -> None:
    process = Process(bench.settings)
    acknowledged = AcknowledgedWriter(process, SpoolMetrics(process.registry))
    acknowledged.note(bench.topic.name, 0, 7, 1)
    async with refused_connections(database_url):
        await acknowledged.write()
    assert await rows(admin_pool, bench.topic.name) == []

    acknowledged.note(bench.topic.name, 0, 8, 1)
    await acknowledged.write()
    await acknowledged.write()

    [row] = await rows(admin_pool, bench.topic.name)
    assert (row["accepted"], row["highest_offset"]) == (2, 8)
    await process.pool(INGRESS).close()
    await process.chatwoot.close()


async def test_rows_of_dead_processes_fold_and_the_audit_answers_the_same(
    bench: Bench, admin_pool: Pool, database_url: str
) -> None:
    for count in (5, 3, 2):
        await keep(bench, count)
    before = await lines(bench)
    async with admin_pool.acquire() as conn:
        await conn.execute(
            "update wootstream.acknowledged set alive_at = now() - interval '2 hours' where topic = $1",
            bench.topic.name,
        )

    ingress = open_pool(database_url, INGRESS)
    async with ingress.acquire() as conn:
        await table.fold(conn)
        await table.fold(conn)
    await ingress.close()

    found = {row["highest_offset"]: row["accepted"] for row in await rows(admin_pool, bench.topic.name)}
    assert found == {9: 2, -1: 8}
    assert await lines(bench) == before
