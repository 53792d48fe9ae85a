"""What the widget is worth: its loads, opens and conversations, from the daily counts alone."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
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
    rows = await daily.figures(conn, organization, first, last, by)
    times = await daily.load_times(conn, organization, first, last, by)
    histograms: dict[str | None, list[tuple[int, int]]] = defaultdict(list)
    for row in times:
        histograms[row["id"]].append((row["load_ms"], row["events"]))
    groups = tuple(_group(row, histograms[row["id"]]) for row in rows)
    return WidgetUseReport(store=store, by=by, first_day=first, last_day=last, timezone=zone, groups=groups)


def percentile(histogram: Sequence[tuple[int, int]], share: float) -> int | None:
    """The step, by its upper end, in which this share of all is reached; of steps in order with their counts."""
    wanted, seen = share * sum(count for _, count in histogram), 0
    for upper, count in histogram:
        seen += count
        if seen >= wanted:
            return upper
    return None


def _group(row: Row, histogram: Sequence[tuple[int, int]]) -> WidgetUse:
    failures = row["failures"] or 0
    return WidgetUse(
        id=row["id"],
        loads=(row["loaded"] or 0) - failures,
        load_failures=failures,
        load_time_p50=percentile(histogram, _HALF),
        load_time_p95=percentile(histogram, _SLOW),
        opens=row["opened"] or 0,
        messages=row["messages"] or 0,
        conversations_started=row["started"] or 0,
        followed_by_order=row["ordered"] or 0,
    )


def _day(field: str, text: str, *, zone: str, now: datetime) -> date:
    try:
        return moment(text, zone=zone, now=now).astimezone(ZoneInfo(zone)).date()
    except ValueError as cause:
        raise Refusal(f"{field} is no time between 1970 and 2199: say 30m, 12h, 7d, 4w or 2026-11-01") from cause
