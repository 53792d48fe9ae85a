"""One question about figures, whoever asks it: the command line and HTTP get the same answer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, get_args
from uuid import UUID

from db.pool import Connection
from db.reporting import reports as table
from schemas.reports import Report, ReportSummary, WaitingList
from services.conversations.reports import reports
from services.kernel import Refusal
from services.kernel.cli.terminal import moment

_EXAMPLES = "7d, 12h, 2026-11-01 or 2026-11-01T09:00"
ReportName = Literal["summary", "agents", "inboxes", "teams", "days", "waiting"]
NAMES: tuple[ReportName, ...] = get_args(ReportName)


@dataclass(frozen=True, slots=True)
class Question:
    """Which report, of which span in the store's own zone; `limit` is of those who wait."""

    name: ReportName
    since: str = "7d"
    until: str = "0m"
    limit: int = 20


class AskedSpan(NamedTuple):
    """From `since` until before `until`, said in this zone."""

    since: datetime
    until: datetime
    timezone: str


async def answer(
    conn: Connection, organization: UUID, question: Question, *, now: datetime
) -> Report | ReportSummary | WaitingList:
    """The answer for one store, which must be in scope. Raises Refusal."""
    if question.name == "waiting":
        return await reports.waiting(conn, organization, now=now, limit=question.limit)
    since, until, _ = await span(conn, organization, question.since, question.until, now=now)
    if question.name == "summary":
        return await reports.summary(conn, organization, since=since, until=until)
    return await reports.by_group(conn, organization, question.name, since=since, until=until)


async def span(conn: Connection, organization: UUID, since: str, until: str, *, now: datetime) -> AskedSpan:
    """A span of a store as people say its ends. Raises Refusal."""
    row = await table.store(conn, organization)
    zone = row["timezone"] if row else "UTC"
    begin, end = (_end(*one, zone=zone, now=now) for one in (("since", since), ("until", until)))
    if begin >= end:
        raise Refusal(f"a span from {since} to {until} is empty: `since` comes before `until`")
    return AskedSpan(begin, end, zone)


def _end(field: str, text: str, *, zone: str, now: datetime) -> datetime:
    try:
        return moment(text, zone=zone, now=now)
    except ValueError as cause:
        raise Refusal(f"{field} is no time between 1970 and 2199: say {_EXAMPLES}") from cause
