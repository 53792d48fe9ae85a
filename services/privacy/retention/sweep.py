"""The nightly sweep: what is older than its store keeps leaves, in small transactions that make way for everybody.

Killed anywhere, it goes on with what is left: a page that was not committed is still there, and a kind counts as swept
only once nothing of it is left. One process of the installation sweeps.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from db import stores
from db.pool import PRIVACY, Pool, scoped
from db.privacy import retention as table
from db.privacy import sweeping
from schemas.values.retention import RETENTION, RetentionKind
from services.kernel import Process
from services.kernel.every import each
from services.kernel.forgetting.legal_holds import LegalHolds
from services.kernel.forgetting.subjects import Pseudonyms
from services.privacy.retention.walks import WALKS, SweepPage, SweepPlace, Walked

_ROWS = 1_000  # of one transaction, about
_FEWEST_ROWS = 10
_PAGES = 20  # of a store's kind, before the others have theirs
_PAUSE_SECONDS = 0.02
_HELD = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)  # somebody else works on it
_SWEPT: tuple[RetentionKind, ...] = (*WALKS, "widget")  # months of widget events are the widget service's
log = structlog.get_logger()


class SweepMetrics:
    """How far the sweep is."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Rows that left because their time was over. Ten times as many as on other nights: who shortened one?
        self.rows = Counter("wootstream_retention_rows", "Rows whose time was over", ("kind",), registry=registry)
        # Seconds since everything of a kind that is over had left, in the store that waits longest. Above two days:
        # `wootstream privacy retention show` says where, the log why.
        self.behind = Gauge(
            "wootstream_retention_behind_seconds", "Seconds since all that is over had left", ("kind",),
            registry=registry,
        )  # fmt: skip


class Sweep:
    """`turn` and `measure` are for `every`."""

    def __init__(self, process: Process, metrics: SweepMetrics) -> None:
        self._process, self._metrics = process, metrics
        self._places: dict[tuple[UUID, str], tuple[int, SweepPlace | None]] = {}  # which walk, and how far

    @property
    def _pool(self) -> Pool:
        return self._process.pool(PRIVACY)

    async def turn(self) -> bool:
        """Some of everything that was not swept since last night; whether there is more that can go at once."""
        now, everyone = self._process.clock.now(), await stores.all_ids(self._pool)
        async with scoped(self._pool, everyone) as conn:
            await table.move(conn, everyone, {kind: RETENTION[kind].days for kind in WALKS}, now)
            due = await table.due(conn, [*WALKS], now)
        try:
            await self._nobodys()
        except _HELD as error:
            log.warning("sweep_waits", store=None, error=str(error.sqlstate))
        by_store: dict[UUID, list[Any]] = {}
        for row in due:
            by_store.setdefault(row["organization_id"], []).append(row)
        done: list[bool] = []

        async def some(store: UUID) -> None:
            for row in by_store[store]:
                if self._process.stopping.is_set():
                    break
                try:
                    done.append(await self._some(row))
                except _HELD as error:
                    log.warning("sweep_waits", store=str(store), kind=row["kind"], error=str(error.sqlstate))

        await each(by_store, some)
        return not all(done)

    async def measure(self) -> bool:
        """Tell how far behind it is, from what PostgreSQL says: every process does, whoever sweeps."""
        now, everyone = self._process.clock.now(), await stores.all_ids(self._pool)
        async with scoped(self._pool, everyone) as conn:
            swept = await table.swept_last(conn, everyone, _SWEPT)
        for kind in _SWEPT:
            self._metrics.behind.labels(kind).set(max(0.0, (now - swept.get(kind, now)).total_seconds()))
        return False

    async def _some(self, row: Any) -> bool:
        """A few pages of a store's kind; whether nothing of it is left."""
        store, kind = row["organization_id"], row["kind"]
        walks, most = WALKS[kind], _ROWS
        for _ in range(_PAGES):
            number, place = self._places.get((store, kind), (0, None))
            began = self._process.clock.monotonic()
            try:
                walked = await self._page(row, number, place, most)
            except _HELD:
                if most <= _FEWEST_ROWS:
                    raise
                most //= 4
                continue
            finally:
                # As long as it worked it leaves the disk to the consumers.
                spent = self._process.clock.monotonic() - began
                await self._process.clock.wait(max(_PAUSE_SECONDS, spent), self._process.stopping)
            self._metrics.rows.labels(kind).inc(walked.rows)
            number += walked.place is None
            self._places[store, kind] = number, walked.place
            if number == len(walks):
                del self._places[store, kind]
                async with scoped(self._pool, {store}) as conn:
                    await table.swept(conn, store, kind, self._process.clock.now())
                return True
            if self._process.stopping.is_set():
                break
        return False

    async def _page(self, row: Any, number: int, place: SweepPlace | None, most: int) -> Walked:
        store = row["organization_id"]
        async with scoped(self._pool, {store}) as conn:
            await sweeping.shortly(conn)
            holds = LegalHolds(store, await table.held(conn, store), Pseudonyms(self._process.secrets))
            return await WALKS[row["kind"]][number](SweepPage(conn, store, row["since"], holds, most, place))

    async def _nobodys(self) -> None:
        """Letters and lines of no store, by the release's own days."""
        now = self._process.clock.now()
        async with scoped(self._process.pool(), ()) as conn:
            await sweeping.shortly(conn)
            before = now - timedelta(days=RETENTION["dead_letters"].days)
            letters = await sweeping.forget_letters(conn, None, before, most=_ROWS)
        async with scoped(self._pool, ()) as conn:
            await sweeping.shortly(conn)
            lines = await sweeping.trim_log(conn, None, now - timedelta(days=RETENTION["audit_log"].days), most=_ROWS)
        self._metrics.rows.labels("dead_letters").inc(letters)
        self._metrics.rows.labels("audit_log").inc(lines)
