"""How far figures are complete: what every answer says below them, and people go by."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from db.pool import SERVICE, open_pool, scoped
from schemas.reports import Completeness
from schemas.topics import WEBHOOKS
from services.conversations.reports.completeness import completeness
from tests.databases import copied_database
from tests.services.attached import attach

_NOW = datetime.now(UTC)
_READ = """
insert into wootstream.ledger
  (consumer_group, topic, partition, cluster_id, first_offset, next_offset, consumed, applied, anchor_offset,
   anchor_id)
values ('conversations', $1, $2, 'c', 0, $3::bigint, $3, $3, $3::bigint - 1, $4)
"""
_HEARD = """
insert into wootstream.acknowledged
  (instance, topic, partition, accepted, highest_offset, cluster_id, updated_at, alive_at)
values ('door', $1, $2, $3::bigint, $3::bigint - 1, 'c', $4, $5)
"""
_SPOOLED = (
    "insert into wootstream.spooled (host, directory, file, records, oldest_at) values ('h', '/spool', 'f', 3, $1)"
)


@pytest.fixture
async def admin(migrated: str) -> AsyncIterator[Any]:
    """A database of its own, for an answer says how far the whole installation has read."""
    async with copied_database(migrated) as url, asyncpg.create_pool(url, min_size=0, max_size=2) as pool:
        yield pool, url


async def _asked(url: str, store: uuid.UUID) -> Completeness:
    pool = open_pool(url, SERVICE)
    async with scoped(pool, {store}) as conn:
        answer = await completeness(conn, store)
    await pool.close()
    return answer


def _id_of(moment: datetime) -> str:
    return str(uuid.UUID(int=int(moment.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62))


async def test_hours_without_a_webhook_are_complete_while_a_door_says_that_nothing_came(admin: Any) -> None:
    """Else Monday's report of a shop that is quiet on Sundays would be complete to Saturday, and no day compared."""
    pool, url = admin
    store, last = await attach(pool), _NOW - timedelta(hours=14)
    await pool.execute(_READ, WEBHOOKS.name, 0, 5, _id_of(last))
    await pool.execute(_HEARD, WEBHOOKS.name, 0, 5, last, _NOW)
    assert await _asked(url, store) == Completeness(complete_to=_NOW - timedelta(seconds=10))


async def test_no_figure_is_complete_beyond_what_waits_in_a_spool(admin: Any) -> None:
    """It is accepted and in no figure, though all that Kafka has was read, and more of it comes just now."""
    pool, url = admin
    store, since = await attach(pool), _NOW - timedelta(minutes=20)
    await pool.execute(_READ, WEBHOOKS.name, 0, 5, _id_of(_NOW))
    await pool.execute(_HEARD, WEBHOOKS.name, 0, 5, _NOW, _NOW)
    await pool.execute(_SPOOLED, since)
    assert (await _asked(url, store)).complete_to == since
    await pool.execute(_HEARD, WEBHOOKS.name, 1, 9, _NOW, _NOW)
    await pool.execute(_READ, WEBHOOKS.name, 1, 4, _id_of(since - timedelta(minutes=5)))
    assert await _asked(url, store) == Completeness(complete_to=_at(since - timedelta(minutes=5)), records_behind=5)


async def test_nothing_is_said_of_an_installation_that_has_read_nothing(admin: Any) -> None:
    pool, url = admin
    store = await attach(pool)
    await pool.execute(_HEARD, "shop.events", 0, 5, _NOW, _NOW)
    assert (await _asked(url, store)).complete_to is None


def _at(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
