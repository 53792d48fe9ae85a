"""Reports over reporting events and facts, in the words of Chatwoot's v2 reports."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from db.pool import Connection, Row
from db.reporting import reports as table
from schemas.reports import Group, Percentiles, Report, ReportSummary, Satisfaction, Totals, Waiting, WaitingList
from services.conversations.figures.rules import release_of
from services.conversations.reports.completeness import completeness

By = Literal["account", "agents", "inboxes", "teams", "days"]


async def summary(conn: Connection, organization: UUID, *, since: datetime, until: datetime) -> ReportSummary:
    """Chatwoot's account summary of a span, and of the span of the same length before it."""
    store = await _store(conn, organization)
    now = await _account(conn, store, since, until)
    # As Chatwoot's own `previous`: the same length, up to where this span begins.
    before = await _account(conn, store, since - (until - since), since)
    return ReportSummary(
        **{name: getattr(now, name) for name in Group.model_fields},
        since=since,
        until=until,
        timezone=store["timezone"],
        previous=Totals(**{name: getattr(before, name) for name in Totals.model_fields}),
        completeness=await completeness(conn, organization),
    )


async def by_group(conn: Connection, organization: UUID, by: By, *, since: datetime, until: datetime) -> Report:
    """The same by agent, inbox, team or day of the store's own calendar."""
    store = await _store(conn, organization)
    return Report(
        store=store["slug"],
        by=by,
        since=since,
        until=until,
        timezone=store["timezone"],
        groups=await _groups(conn, store, by, since, until),
        completeness=await completeness(conn, organization),
    )


async def waiting(conn: Connection, organization: UUID, *, now: datetime, limit: int) -> WaitingList:
    """Customers who wait for an answer now, longest first, each with a link into Chatwoot."""
    store = await _store(conn, organization)
    place = f"{store['chatwoot_base_url']}/app/accounts/{store['chatwoot_account_id']}/conversations"
    rows = await table.waiting(conn, organization, limit=limit)
    people = tuple(
        Waiting(
            conversation_id=row["conversation_id"],
            waiting_since=row["waiting_since"],
            waiting_seconds=int((now - row["waiting_since"]).total_seconds()),
            status=row["status"],
            assignee=row["assignee_name"],
            inbox=row["inbox_name"],
            url=f"{place}/{row['conversation_id']}",
        )
        for row in rows
    )
    return WaitingList(
        store=store["slug"],
        waiting_count=rows[0]["everybody"] if rows else 0,
        waiting=people,
        completeness=await completeness(conn, organization),
    )


async def _account(conn: Connection, store: Row, since: datetime, until: datetime) -> Group:
    groups = await _groups(conn, store, "account", since, until)
    return groups[0] if groups else Group()


async def _groups(conn: Connection, store: Row, by: By, since: datetime, until: datetime) -> tuple[Group, ...]:
    id_, zone = store["organization_id"], store["timezone"]
    names = await table.names(conn, id_, by=by)
    rows = await table.groups(conn, id_, since=since, until=until, by=by, zone=zone)
    return tuple(_group(row, release=store["release"], names=names) for row in rows)


async def _store(conn: Connection, organization: UUID) -> Row:
    store = await table.store(conn, organization)
    if store is None:
        raise LookupError("this store has no Chatwoot account")
    return store


def _group(row: Row, *, release: str, names: Mapping[str, str | None]) -> Group:
    # 3.x counts conversations that are resolved now, 4.x every resolution
    resolutions = row["resolution_events"] if release_of(release) >= (4, 0) else row["still_resolved"]
    return Group(
        id=row["group_id"],
        name=names.get(row["group_id"]),
        conversations_count=row["conversations_count"] or 0,
        incoming_messages_count=row["incoming_messages_count"] or 0,
        outgoing_messages_count=row["outgoing_messages_count"] or 0,
        avg_first_response_time=row["avg_first_response_time"],
        avg_resolution_time=row["avg_resolution_time"],
        resolutions_count=resolutions or 0,
        reply_time=row["reply_time"],
        first_response_percentiles=_percentiles(row["first_response_percentiles"]),
        resolution_percentiles=_percentiles(row["resolution_percentiles"]),
        reply_percentiles=_percentiles(row["reply_percentiles"]),
        reopened_conversations=row["reopened_conversations"] or 0,
        resolved_conversations=row["resolved_conversations"] or 0,
        satisfaction=_satisfaction(row),
    )


def _percentiles(values: Sequence[float] | None) -> Percentiles | None:
    return Percentiles(p50=values[0], p90=values[1], p99=values[2]) if values else None


def _satisfaction(row: Row) -> Satisfaction:
    counts = enumerate(row["ratings"] or (), start=1)
    ratings = {rating: count for rating, count in counts if count}
    return Satisfaction(
        answers=row["answers"] or 0,
        surveys_sent=row["surveys_sent"] or 0,
        surveys_answered=row["surveys_answered"] or 0,
        ratings=ratings,
    )
