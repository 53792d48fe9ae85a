"""The end of single events: counted, then deleted, or let go with their month once the longest keeper is done."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import structlog

from db import stores
from db.pool import PRIVACY, Pool, Row, scoped
from db.privacy import retention as table
from db.widget import daily, event_rows, months
from schemas.bounds import EARLIEST
from schemas.values.retention import RETENTION
from services.kernel import Process
from services.kernel.clock import Schedule
from services.kernel.every import each
from services.kernel.forgetting.legal_holds import LegalHolds
from services.kernel.forgetting.subjects import Pseudonyms, Subject, subjects_named

_DAYS = RETENTION["widget"].days
_ROWS_AT_ONCE = 5_000
_TURNS = 20  # of a store, before the other stores have theirs
# Writers who hold a month do so for a batch; a report may hold it longer.
_PAUSES = Schedule((0.2, 0.5, 1.0, 2.0, 5.0))
_TRIES = 10
_ORDERED_WITHIN = timedelta(days=7)
log = structlog.get_logger()


async def tidy(process: Process) -> bool:
    """Whether there is more to do at once. A turn of `every`, of one process at a time."""
    now, pool = process.clock.now(), process.pool()
    everyone = await stores.all_ids(pool)
    async with scoped(pool, everyone) as conn:
        await table.move(conn, everyone, {"widget": _DAYS}, now)
        keepers = await table.settled(conn, "widget", now)
    if len(keepers) < len(everyone):
        return False
    more = False
    longest = max((one["days"] or _DAYS for one in keepers), default=0)
    for one in keepers:
        # Of those who keep longest nothing is deleted: it goes with its month, which costs nothing. Unless the law bids
        # to keep somebody's: then the others' go before it, and the month stays.
        if (one["is_held"] or (one["days"] or _DAYS) < longest) and await _forget(process, one):
            more = True
    held = {one["organization_id"] for one in keepers if one["is_held"]}
    await _let_months_go(process, keepers, held)
    if not more:
        async with scoped(pool, everyone) as conn:
            for one in keepers:
                await table.swept(conn, one["organization_id"], "widget", now)
    return more


async def count_orders(process: Process) -> bool:
    """Which of the last days' conversations were followed by an order; for `every`."""

    async def count(store: UUID) -> None:
        async with scoped(process.pool(), {store}) as conn:
            today = process.clock.now().astimezone(ZoneInfo(await daily.zone(conn, store))).date()
            for number in range(_ORDERED_WITHIN.days + 2):
                await daily.count_orders(conn, store, today - timedelta(days=number))

    await each(await stores.all_ids(process.pool()), count)
    return False


async def rebuild(pool: Pool, store: UUID) -> int:
    """Count every day anew of which there are all events; how many days. Each is a transaction of its own."""
    async with scoped(pool, {store}) as conn:
        since = (await table.since(conn, "widget")).get(store)
        zone = ZoneInfo(await daily.zone(conn, store))
        kept = await daily.days_kept(conn, store)
    if kept is None:
        return 0
    first, last = kept
    if since is not None:
        # The moment is a midnight of the store's calendar as it was then: of a day that began earlier some may be gone.
        local = since.astimezone(zone)
        first = max(first, local.date() + timedelta(days=local.time() != local.min.time()))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    for day in days:
        async with scoped(pool, {store}) as conn:
            await daily.rebuild_day(conn, store, day)
    return len(days)


async def _forget(process: Process, keeper: Row) -> bool:
    """Delete what this store keeps no longer, in small steps; whether there is more."""
    store, before = keeper["organization_id"], keeper["since"]
    await _count(process.pool(), store, before)
    if keeper["is_held"]:
        return await _forget_others(process, store, before)
    for _ in range(_TURNS):
        async with scoped(process.pool(PRIVACY), {store}) as conn:
            gone = await event_rows.forget(conn, store, before, most=_ROWS_AT_ONCE)
        if gone:
            log.info("widget_events_forgotten", store=str(store), events=gone)
        if gone < _ROWS_AT_ONCE:
            return False
    return True


async def _forget_others(process: Process, store: UUID, before: datetime) -> bool:
    """The same, past the events of those whom the law bids to keep."""
    place = (EARLIEST, UUID(int=0))
    for _ in range(_TURNS):
        async with scoped(process.pool(PRIVACY), {store}) as conn:
            holds = LegalHolds(store, await table.held(conn, store), Pseudonyms(process.secrets))
            rows = await event_rows.oldest(conn, store, before, place, most=_ROWS_AT_ONCE)
            keys = [(row["created_at"], row["id"]) for row in rows if not holds.bind(_names(row))]
            gone = await event_rows.forget_these(conn, store, keys)
        if len(rows) < _ROWS_AT_ONCE:
            return False
        place = rows[-1]["created_at"], rows[-1]["id"]
    return gone > 0


def _names(row: Row) -> Iterator[Subject]:
    return subjects_named(customers=[row["customer_id"]], sessions=[row["session_id"]], users=[row["user_id"]])


async def _count(pool: Pool, store: UUID, before: datetime) -> None:
    """See that each day which begins before then is counted: a release that did not count may have written it."""
    async with scoped(pool, {store}) as conn:
        kept = await daily.days_kept(conn, store)
        zone = ZoneInfo(await daily.zone(conn, store))
    if kept is None:
        return
    day, last = kept[0], min(kept[1], before.astimezone(zone).date())
    while day <= last:
        async with scoped(pool, {store}) as conn:
            if not await daily.is_counted(conn, store, day):
                await daily.rebuild_day(conn, store, day)
        day += timedelta(days=1)


async def _let_months_go(process: Process, keepers: Sequence[Row], held: Collection[UUID]) -> None:
    until = min((one["since"] for one in keepers), default=None)
    async with scoped(process.pool(), ()) as conn:
        found = await months.months(conn)
    for month in found:
        is_over = until is not None and month["ends"] <= until
        if month["attached"] and is_over:
            async with scoped(process.pool(), held) as conn:
                if await event_rows.any_of(conn, held, month["begins"], month["ends"]):
                    continue
            for one in keepers:
                await _count(process.pool(), one["organization_id"], month["ends"])
            await _detach(process, month["begins"])
        if is_over or not month["attached"]:
            async with scoped(process.pool(PRIVACY), ()) as conn:
                await months.drop(conn, month["begins"])
            log.info("widget_month_dropped", month=month["name"])


async def _detach(process: Process, begins: datetime) -> None:
    """Raises LockNotAvailableError where writers or readers never made room."""
    for attempt in range(_TRIES):
        try:
            async with scoped(process.pool(PRIVACY), ()) as conn:
                await months.detach(conn, begins)
            return
        except asyncpg.LockNotAvailableError:
            if attempt == _TRIES - 1:
                raise
        await process.clock.wait(_PAUSES.after(attempt), process.stopping)
