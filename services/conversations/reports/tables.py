"""Report answers as a person reads them: a table on the terminal, or CSV for a spreadsheet."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TextIO
from zoneinfo import ZoneInfo

from schemas.reports import (
    Comparison,
    ComparisonRow,
    Completeness,
    Group,
    Percentiles,
    Report,
    ReportSummary,
    Waiting,
    WaitingList,
)  # fmt: skip
from schemas.values.sheet_cells import guarded
from services.kernel.printable import printable, utc

Rows = Sequence[Sequence[object]]
_RULES = 3  # shown below a table; JSON has them all
COLUMNS = (
    *(
        "store",
        "id",
        "name",
        "conversations",
        "incoming",
        "outgoing",
        "resolutions",
        "first response",
        "p50",
        "p90",
        "p99",
    ),
    *("resolution", "reply", "reopened", "satisfied", "answered"),
)
COMPARISON_COLUMNS = ("store", "figure", "ours", "chatwoot's", "difference", "likely reason")
WAITING_COLUMNS = ("store", "conversation", "waiting", "since", "status", "assignee", "inbox", "link")


def group_row(store: str, group: Group) -> list[object]:
    """One line of a report; times in seconds, shares in percent."""
    slowest = group.first_response_percentiles
    return [
        *(store, group.id, group.name, group.conversations_count, group.incoming_messages_count),
        *(group.outgoing_messages_count, group.resolutions_count, _rounded(group.avg_first_response_time)),
        *(_percentiles(slowest)),
        *(_rounded(group.avg_resolution_time), _rounded(group.reply_time), _percent(group.reopen_rate)),
        *(_percent(group.satisfaction.satisfied_share), _percent(group.satisfaction.response_rate)),
    ]


def waiting_row(store: str, one: Waiting) -> list[object]:
    """One customer who waits."""
    since = utc(one.waiting_since)
    return [store, one.conversation_id, one.waiting_seconds, since, one.status, one.assignee, one.inbox, one.url]


def left_out(answers: Mapping[str, WaitingList]) -> list[str]:
    """A line for each store of which more wait than are shown: who reads a list takes it for all there is."""
    return [
        f"{store}: the longest {len(one.waiting)} of {one.waiting_count} who wait, more with --limit"
        for store, one in answers.items()
        if one.waiting_count > len(one.waiting)
    ]


def comparison_rows(store: str, comparison: Comparison) -> list[list[object]]:
    """A line a figure, or one that says why there is none."""
    if comparison.fault:
        return [[store, None, None, None, None, comparison.fault]]
    return [_figure_row(store, one) for one in comparison.figures]


def _figure_row(store: str, one: ComparisonRow) -> list[object]:
    apart = None if one.reason is None else _rounded((one.ours or 0) - (one.chatwoots or 0))
    return [store, one.key, _rounded(one.ours), _rounded(one.chatwoots), apart, one.reason or "equal"]


def write_csv(columns: Sequence[str], rows: Rows, file: TextIO) -> None:
    """The same as CSV."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)


def _harmless(cell: object) -> object:
    """Agents and inboxes are named by others."""
    return printable(guarded(cell)) if isinstance(cell, str) else cell


def spans(answers: Iterable[Report | ReportSummary | Comparison]) -> list[str]:
    """A line that says of which span the figures are, and in what they are; none where nothing was asked."""
    every = list(answers)
    if not every:
        return []
    (since, its_zone), (until, zone) = (
        _said([(one.since, one.timezone) for one in every]),
        _said([(one.until, one.timezone) for one in every]),
    )
    return [f"from {since}{f' {its_zone}' if its_zone != zone else ''} to {until} {zone}; times in seconds"]


def _said(moments: Sequence[tuple[datetime, str]]) -> tuple[str, str]:
    """One end of a span, and its zone: stores of several have it at one moment, as now, or at one hour of their own."""
    zones = {zone for _, zone in moments}
    if len({moment for moment, _ in moments}) == 1:
        zone = zones.pop() if len(zones) == 1 else "UTC"
        return f"{moments[0][0].astimezone(ZoneInfo(zone)):%F %T}", zone
    # All at the same hour, but where a change of the clocks left that out.
    hour = min(moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for moment, zone in moments)
    return f"{hour:%F %T}", "of each store's zone"


def complete(states: Mapping[str, Completeness]) -> str:
    """How far the figures of these stores can be trusted: a line, then some of the rules that could not be applied."""
    every = list(states.values())
    known = [one.complete_to for one in every if one.complete_to is not None]
    until = f"complete to {utc(min(known))}" if len(known) == len(every) and known else "how complete is unknown"
    behind, lost = max((one.records_behind for one in every), default=0), sum(one.lost_changes for one in every)
    read, vague = sum(one.imported for one in every), sum(one.approximate for one in every)
    doubtful, still = sum(one.unknown_openers for one in every), sum(one.not_reckoned for one in every)
    notes = [
        until,
        *[f"{behind} records behind"] * (behind > 0),
        *[f"{lost} status changes lost"] * (lost > 0),
        *[f"{doubtful} openings by a bot or a person, which no webhook tells"] * (doubtful > 0),
        *[f"{still} conversations too long to be reckoned, whose figures stand still"] * (still > 0),
        *[f"{read} conversations imported, {vague} of their moments approximate"] * (read + vague > 0),
    ]
    rules = [f"{store}, {rule}" for store, one in states.items() for rule in one.not_applied]
    more = [f"and the same of {len(rules) - _RULES} more"] * (len(rules) > _RULES)
    return "\n".join([", ".join(notes), *rules[:_RULES], *more])


def _percentiles(values: Percentiles | None) -> tuple[object, object, object]:
    return (_rounded(values.p50), _rounded(values.p90), _rounded(values.p99)) if values else (None, None, None)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.0%}"
