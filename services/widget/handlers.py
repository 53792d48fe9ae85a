"""Widget events → rows, each once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from pydantic import TypeAdapter

from db import widget as table
from db.pool import Connection, scoped
from schemas import json_text
from schemas.beacons import WidgetReport
from services.kernel import Invalid, Process, Record
from services.widget.rows import row

_OLDEST, _AHEAD = timedelta(days=27), timedelta(days=62)  # of months that have a partition, whatever their length
_REPORTS = TypeAdapter(tuple[WidgetReport, ...])
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Post:
    """One accepted POST and its rows."""

    record: Record
    rows: tuple[tuple[Any, ...], ...]


def read(record: Record) -> Post | None:
    """The door judged each event already: what does not fit here is no event at all."""
    reports = json_text.read(_REPORTS.validate_json, record.value)
    if not reports:
        return None
    rows = tuple(row(record.store, one) for one in reports)
    received_at = record.received_at
    # Foreign writers are not judged by the door, and a month that nobody spoke of has no partition.
    if not all(received_at - _OLDEST <= one[1] <= received_at + _AHEAD for one in rows):
        raise Invalid("an event's id names a moment far from when it was received")
    return Post(record, rows)


async def keep(conn: Connection, posts: Sequence[Post]) -> set[Record]:
    """A record is news when any of its events was; an event that came twice belongs to the record that came first."""
    first: dict[tuple[UUID, datetime, UUID], tuple[Record, tuple[Any, ...]]] = {}
    for post in posts:
        for one in post.rows:
            first.setdefault(one[:3], (post.record, one))
    added = await table.add(conn, [one for _, one in first.values()])
    return {first[key][0] for key in added}


async def ensure_partitions(process: Process) -> bool:
    """Last month to three months ahead: also what waited in the topic for a week finds its month."""
    async with scoped(process.pool(), ()) as conn:
        if made := await table.ensure_partitions(conn):
            log.info("partitions_made", partitions=made)
    return False
