"""Our summary of a span beside Chatwoot's own: where they differ, the likely reason."""

from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from db.pool import Pool, scoped
from db.reporting import reports as table
from schemas.chatwoot.rest import Summary
from schemas.reports import Comparison, ComparisonRow, ReportSummary, Totals
from services.conversations.chatwoot.account_reader import AccountReader, reader_of
from services.conversations.reports import reports
from services.conversations.reports.query import span
from services.kernel import Process, Retryable
from services.kernel.chatwoot.chatwoot_client import Unanswered
from services.kernel.printable import utc

_TOLERANCE_SECONDS = 1.0  # of averages; counts are equal or not
_COUNTS = frozenset(name for name in Totals.model_fields if name.endswith("_count"))
_FIRST_RESPONSE = "avg_first_response_time"  # counts from a handover
DELETED = "conversations or contacts were deleted in Chatwoot since, of which no webhook tells"
_OF_TURNS = ("avg_resolution_time", "resolutions_count")


async def compare_each(
    process: Process,
    stores: Mapping[str, UUID],
    *,
    since: str,
    until: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Comparison]:
    """The comparison of each store by its name; of several, one that Chatwoot does not tell about costs the others
    nothing. Raises Refusal, and of a single store Unanswered and Retryable."""
    comparisons = {}
    for name, store in stores.items():
        async with scoped(process.pool(), {store}) as conn:
            asked = await span(conn, store, since, until, now=process.clock.now())
        try:
            async with scoped(process.pool(), {store}) as conn:
                account = await reader_of(conn, process, store)
            comparisons[name] = await compare(process.pool(), account, since=asked.since, until=asked.until)
        except (Unanswered, Retryable) as reason:
            # Of one store it is the answer; of several it is a line among them.
            if len(stores) == 1:
                raise
            comparisons[name] = Comparison(store=name, **asked._asdict(), figures=(), fault=str(reason))
        progress(len(comparisons), len(stores))
    return comparisons


async def compare(pool: Pool, account: AccountReader, *, since: datetime, until: datetime) -> Comparison:
    """Ask Chatwoot's reports for the same span. Raises Unanswered and Retryable."""
    query = {"type": "account", "since": str(int(since.timestamp())), "until": str(int(until.timestamp()))}
    theirs: Totals = await account.get("reports/summary", Summary, version="v2", query=query)
    async with scoped(pool, {account.store}) as conn:
        ours = await reports.summary(conn, account.store, since=since, until=until)
        store = await table.store(conn, account.store)
    assert store is not None
    attached_later = account.attached_at > since
    return Comparison(
        store=store["slug"],
        since=since,
        until=until,
        timezone=store["timezone"],
        figures=differences(ours, theirs, until=until, attached_later=attached_later, release=store["release"]),
        completeness=ours.completeness,
    )


def differences(
    ours: ReportSummary, theirs: Totals, *, until: datetime, attached_later: bool, release: str
) -> tuple[ComparisonRow, ...]:
    """Key by key; a reason only where they differ."""
    missing = _missing(ours, until=until, attached_later=attached_later)
    result = []
    for key in Totals.model_fields:
        mine, chatwoots = getattr(ours, key), getattr(theirs, key)
        reason = None if _equal(key, mine, chatwoots) else _reason(key, mine, chatwoots, missing, ours, release)
        result.append(ComparisonRow(key=key, ours=mine, chatwoots=chatwoots, reason=reason))
    return tuple(result)


def _equal(key: str, mine: float | None, chatwoots: float | None) -> bool:
    # an average of nothing is null in one release and 0 in another
    return abs((mine or 0) - (chatwoots or 0)) <= (0 if key in _COUNTS else _TOLERANCE_SECONDS)


def _missing(ours: ReportSummary, *, until: datetime, attached_later: bool) -> str | None:
    """Why we may know less than Chatwoot."""
    state = ours.completeness
    if attached_later and state.imported:
        return "the store was attached within the span, and of what was before the API shows last resolutions only"
    if attached_later:
        return "the store was attached within the span: `wootstream import history` brings what was before"
    if state.records_behind:
        return f"{state.records_behind} records are still to be applied"
    if state.complete_to is not None and state.complete_to < until:
        return f"our figures are complete to {utc(state.complete_to)} only"
    return None


def _reason(
    key: str, mine: float | None, chatwoots: float | None, missing: str | None, ours: ReportSummary, release: str
) -> str:
    state = ours.completeness
    counts_rows = key in _COUNTS and key != "resolutions_count"
    if counts_rows and (mine or 0) > (chatwoots or 0):
        return DELETED
    if missing:
        return missing
    if key in _OF_TURNS and state.approximate:
        return f"{state.approximate} status changes are known from the API only, their moments are approximate"
    if key == _FIRST_RESPONSE and state.unknown_openers:
        return f"{state.unknown_openers} openings may have been a bot's handover or a person's: no webhook tells"
    if key in _OF_TURNS and state.lost_changes:
        return f"{state.lost_changes} status changes were lost on their way"
    if key not in _COUNTS and state.not_applied:
        return state.not_applied[0]
    if counts_rows:
        return "webhooks were lost before they reached us: `wootstream import history --everything` reads it all"
    return f"events close to the span's ends, which Chatwoot books when its job runs, or a release other than {release}"
