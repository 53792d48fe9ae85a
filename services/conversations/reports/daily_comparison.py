"""Once a day each store's figures of the day before beside Chatwoot's own, from midnight to midnight where they live.

At midnight hardly anything happens: what Chatwoot books some seconds later than we do is of the same day. What was
deleted in Chatwoot since, of which no webhook tells, is no difference here.
"""

import asyncio
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from db import stores
from db.pool import scoped
from db.reporting import reports as table
from schemas.reports import Comparison
from services.conversations.chatwoot.account_reader import reader_of
from services.conversations.metrics import FiguresMetrics
from services.conversations.reports.comparison import DELETED, compare
from services.kernel import Process, Retryable
from services.kernel.chatwoot.chatwoot_client import Unanswered
from services.kernel.cli.terminal import moment
from services.kernel.errors import Verdict, describe, verdict

_SETTLED = timedelta(hours=1)  # after midnight: Chatwoot's own jobs have booked what was before
_AGAIN = timedelta(hours=1)  # where a store could not be compared
_STORES = 20  # compared before it is asked again whether this is still the only process that does
_STORE_SECONDS = 60.0
log = structlog.get_logger()


class DailyComparison:
    """Runs in one process of the installation at a time; a new one begins with every store."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._metrics = FiguresMetrics(process.registry)
        self._compared: dict[UUID, date] = {}
        self._tried: dict[UUID, datetime] = {}

    async def turn(self) -> bool:
        """Compare a few stores whose day is over; True if there may be more to do."""
        now = self._process.clock.now()
        async with scoped(self._process.pool(), ()) as conn:
            everyone = await stores.ids(conn)
        due = [store for store in sorted(everyone) if store not in self._tried or now - self._tried[store] >= _AGAIN]
        for store in due[:_STORES]:
            self._tried[store] = now
            await self._look(store, now)
        return len(due) > _STORES

    async def _look(self, store: UUID, now: datetime) -> None:
        """A store whose Chatwoot does not tell costs the others nothing."""
        try:
            async with asyncio.timeout(_STORE_SECONDS):
                await self._compare(store, now)
        except (Unanswered, Retryable, TimeoutError) as reason:
            log.info("figures_are_not_compared", store=str(store), reason=str(reason) or "it took too long")
        except Exception as error:
            if verdict(error) is Verdict.STOP:
                raise
            log.warning("figures_are_not_compared", store=str(store), reason=describe(error), exc_info=error)

    async def _compare(self, store: UUID, now: datetime) -> None:
        async with scoped(self._process.pool(), {store}) as conn:
            row = await table.store(conn, store)
            zone = row["timezone"] if row else "UTC"
            today = (now - _SETTLED).astimezone(ZoneInfo(zone)).date()
            if self._compared.get(store) == today:
                return
            since, until = (moment(day.isoformat(), zone=zone, now=now) for day in (today - timedelta(days=1), today))
            account = await reader_of(conn, self._process, store)
        if account.attached_at > since:
            return
        found = await compare(self._process.pool(), account, since=since, until=until)
        if _is_whole(found):
            self._compared[store] = today
            self._tell(store, found, now)

    def _tell(self, store: UUID, found: Comparison, now: datetime) -> None:
        odd = [one for one in found.figures if one.reason and one.reason != DELETED]
        self._metrics.compared(store, at=now, differing=len(odd))
        if odd:
            log.warning("figures_differ", store=str(store), figures=[one.key for one in odd], reason=odd[0].reason)


def _is_whole(found: Comparison) -> bool:
    """We have read all of the day, and can be held to it."""
    state = found.completeness
    return not state.records_behind and (state.complete_to is None or state.complete_to >= found.until)
