"""The monthly partitions of widget events: what there is, and how far ahead."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import structlog

from db.pool import Pool, scoped
from db.widget import months as table
from services.kernel import Process

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Month:
    """One partition. `rows` is PostgreSQL's estimate; one that is not attached was let go and waits to be dropped."""

    name: str
    begins: datetime
    ends: datetime
    attached: bool
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Months:
    """Every partition, those that were just made, and for how many days from now on there is one."""

    months: Sequence[Month]
    made: Sequence[str]
    days_ahead: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def ensure(pool: Pool, now: datetime) -> Months:
    """Make what is missing of last month's to three months ahead: also what waited in the topic for a week finds its
    month."""
    async with scoped(pool, ()) as conn:
        made = await table.ensure(conn, now)
        found = [
            Month(one["name"], one["begins"], one["ends"], one["attached"], one["estimated_rows"], one["bytes"])
            for one in await table.months(conn)
        ]
    return Months(found, made, days_ahead(found, now))


def days_ahead(months: Sequence[Month], now: datetime) -> int:
    """Whole days from now on that have a partition without a gap; 0 when today has none."""
    end = now
    for month in sorted(months, key=lambda one: one.begins):
        if month.attached and month.begins <= end < month.ends:
            end = month.ends
    return (end - now).days


async def ensure_daily(process: Process) -> bool:
    """The same for `every`: log what was made."""
    found = await ensure(process.pool(), process.clock.now())
    if found.made:
        log.info("partitions_made", partitions=found.made)
    return False
