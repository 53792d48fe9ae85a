"""What the widget is worth: its loads, opens and conversations, from the daily counts alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from typing import get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from db.pool import Connection, Row
from db.widget import daily
from db.widget.daily import Grouping
from schemas.reports import WidgetUse, WidgetUseReport
from services.kernel import Refusal
from services.kernel.cli.terminal import moment

GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)
_HALF, _SLOW = 0.5, 0.95
_COUNTS = itemgetter("loaded", "failures", "opened", "started", "ordered", "messages")


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, as people say it."""

    since: str = "30d"
    until: str = "0m"


async def use(
    conn: Connection, organization: UUID, store: str, by: Grouping, span: Span, *, now: datetime
) -> WidgetUseReport:
    """In all, by day or by kind of page, of whole days of the store's calendar. Raises Refusal."""
    zone = await daily.zone(conn, organization)
    first, last = (_day(field, getattr(span, field), zone=zone, now=now) for field in ("since", "until"))
    if first > last:
        raise Refusal(f"a span from {span.since} to {span.until} is empty: `since` comes before `until`")
    steps = await daily.figures(conn, organization, first, last, by)
    groups = tuple(_group(group, [*of_group]) for group, of_group in groupby(steps, itemgetter("id")))
    return WidgetUseReport(store=store, by=by, first_day=first, last_day=last, timezone=zone, groups=groups)


def percentile(histogram: Sequence[tuple[int, int]], share: float) -> int | None:
    """The step, by its upper end, in which this share of all is reached; of steps in order with their counts."""
    wanted, seen = share * sum(count for _, count in histogram), 0
    for upper, count in histogram:
        seen += count
        if seen >= wanted:
            return upper
    return None


def _group(group: str | None, steps: Sequence[Row]) -> WidgetUse:
    histogram = [(row["load_ms"], row["loaded"]) for row in steps if row["load_ms"] and row["loaded"]]
    loaded, failures, opened, started, ordered, messages = map(sum, zip(*map(_COUNTS, steps), strict=True))
    return WidgetUse(
        id=group,
        loads=loaded - failures,
        load_failures=failures,
        load_time_p50=percentile(histogram, _HALF),
        load_time_p95=percentile(histogram, _SLOW),
        opens=opened,
        messages=messages,
        conversations_started=started,
        followed_by_order=ordered,
    )


def _day(field: str, text: str, *, zone: str, now: datetime) -> date:
    try:
        return moment(text, zone=zone, now=now).astimezone(ZoneInfo(zone)).date()
    except ValueError as cause:
        raise Refusal(f"{field} is no time between 1970 and 2199: say 30m, 12h, 7d, 4w or 2026-11-01") from cause
