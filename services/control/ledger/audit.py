"""`audit`: ledger, logs and acknowledgements held against each other while the system runs."""

from collections.abc import Sequence
from datetime import datetime

from db.pool import Pool, Row
from db.records import audit as table
from db.records import ledger, spooled, undelivered
from db.transactions import see_one_moment
from schemas import topics
from services.control.ledger.answer import Audit, Loss, SpooledFile, UndeliveredFile
from services.control.ledger.reckoning import Key, Observation, key, next_unread, reckon, with_waits
from services.control.ledger.topic_logs import Cluster, first_records, first_written, look
from services.kernel.cli.environment import database
from services.kernel.record import Record
from services.kernel.settings import Settings


async def audit(settings: Settings, *, since: datetime | None = None) -> Audit:
    """What is missing now, and what was noticed missing since that moment (None: ever). Raises Stop."""
    async with database(settings) as pool:
        seen, losses = await observe(settings, pool, since=since)
        async with pool.acquire(timeout=10) as conn:
            aside = [UndeliveredFile(**row) for row in await undelivered.since(conn, since)]
            waiting = [SpooledFile(**row) for row in await spooled.everything(conn)]
    lines = reckon(seen)
    written = await first_written(settings, {at for line in lines if (at := next_unread(line))}, seen.cluster)
    return Audit(with_waits(seen, lines, written), losses, aside, waiting)


async def observe(settings: Settings, pool: Pool, *, since: datetime | None = None) -> tuple[Observation, list[Loss]]:
    """Read everything in the order that `Seen` explains."""
    async with pool.acquire(timeout=10) as conn:
        # First what is claimed, then what is there: see Observation for why this order cannot invent a loss.
        acknowledged, closed = await table.acknowledged(conn), await table.closed(conn)
        rows = await ledger.everything(conn)
    cluster = await look(
        settings, {topic.name for topic in topics.ALL} | {row["topic"] for row in (*rows, *acknowledged)}
    )
    async with pool.acquire(timeout=10) as conn, conn.transaction():
        # One snapshot: a loss that a consumer notices just now is counted here or there, not twice and not never.
        await see_one_moment(conn)
        later = {key(row): row["next_offset"] for row in await ledger.everything(conn)}
        losses, now = [Loss(**row) for row in await table.losses(conn, since)], await table.now(conn)
    strangers = await _strangers(settings, rows, cluster)
    return Observation(rows, acknowledged, closed, cluster, later, strangers, now), losses


async def _strangers(settings: Settings, rows: Sequence[Row], cluster: Cluster) -> frozenset[Key]:
    """Rows whose anchor is another record now. An anchor that retention took says nothing."""
    anchored = {
        key(row): ((row["topic"], row["partition"]), row["anchor_offset"], row["anchor_id"])
        for row in rows
        if row["cluster_id"] == cluster.id and row["anchor_offset"] is not None
    }
    found = await first_records(settings, {(place, offset) for place, offset, _ in anchored.values()}, cluster)
    return frozenset(
        one
        for one, (place, offset, identity) in anchored.items()
        if (place, offset) in found and not _is(found[place, offset], offset, identity)
    )


def _is(record: Record | None, offset: int, identity: str) -> bool:
    return record is not None and record.offset == offset and record.identity == identity
