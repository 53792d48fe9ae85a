"""Requests that are not settled go on by themselves: begun by a verb that died, asked by a shop, told by the topic."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from uuid import UUID

import structlog
from prometheus_client import CollectorRegistry, Gauge

from db import stores
from db.pool import PRIVACY, Row, scoped
from db.privacy import erased_stores, requests
from services.kernel import Process, Refusal, Retryable, Sealed
from services.kernel.every import each
from services.privacy import store_erasure
from services.privacy.asking import asked_in
from services.privacy.erasures import erasure, topic
from services.privacy.erasures.announcement import StoreAnnouncement, announcement_in
from services.privacy.exports import requested
from services.privacy.handlers import COLUMN

_ERASURE = "erasure"
_MOST = 1_000  # of a store, in one turn
_STORE_SECONDS = 20.0  # of a turn; then no further request of this store is begun: others wait for theirs
# Of one request, which goes on from the steps that are done. Fifty thousand messages of a slow Chatwoot come within it.
_REQUEST_SECONDS = 1_800.0
log = structlog.get_logger()


class PrivacyMetrics:
    """What of people's and shops' requests is open."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Erasures not done yet. Above 0 for an hour: `privacy requests` says which step waits, and why.
        self.open = Gauge("wootstream_privacy_open_erasures", "Erasures not done yet", registry=registry)
        # Requests to see what is held: to be made (asked), or waiting to be fetched (made). Above 0: `privacy fetch`.
        self.exports = Gauge("wootstream_privacy_open_exports", "Data export requests", ("state",), registry=registry)
        # Stores that the shop platform bids to erase, for an operator to confirm: `stores remove --erase`.
        self.stores = Gauge("wootstream_privacy_open_store_erasures", "Stores to be erased", registry=registry)
        # Seconds until the nearest deadline of an open request, a month from its beginning. Below 5 days: see above;
        # below 0 it has passed.
        self.deadline = Gauge(
            "wootstream_privacy_deadline_seconds", "Seconds until the nearest deadline, 0 when none is open",
            registry=registry,
        )  # fmt: skip


class PrivacyWorker:
    """Runs in one process of the installation at a time; who runs a verb beside it does the same steps, harmlessly."""

    def __init__(self, process: Process, metrics: PrivacyMetrics, wake: asyncio.Event) -> None:
        self._wake = wake
        self._process = process
        self._metrics = metrics
        self._tried: dict[UUID, float] = {}  # open requests, by when they last had their turn

    async def turn(self) -> bool:
        """Once through what is open, each store with its share of the time; whether somebody's was not enough.

        A store that asks much, whose Chatwoot is slow, or whose request fails costs the others no more than that.
        """
        self._wake.clear()
        rows, begun = await _open(self._process), await _begun_stores(self._process)
        by_store: dict[UUID, list[Row]] = {store: [] for store in begun}
        # Whose turn has not come yet comes first: what waits for its Chatwoot keeps nothing else of its store back.
        for row in sorted(rows, key=lambda one: self._tried.get(one["id"], 0.0)):
            by_store.setdefault(row["organization_id"], []).append(row)
        self._tried = {row["id"]: self._tried[row["id"]] for row in rows if row["id"] in self._tried}

        async def go_through(store: UUID) -> None:
            await self._go_through(by_store[store])
            if store in begun and (waiting := await _in_time(store_erasure.carry_on(self._process, store))):
                log.warning("store_erasure_waits", store=str(store), steps=waiting)

        try:
            await each(by_store, go_through)
        finally:
            await self._measure()
        return any(row["id"] not in self._tried for row in rows)

    async def _go_through(self, rows: Iterable[Row]) -> None:
        """One store's, until its time is over, but one at the least."""
        clock, over_at = self._process.clock, None
        for row in rows:
            if over_at is not None and clock.monotonic() > over_at:
                return
            over_at = over_at or clock.monotonic() + _STORE_SECONDS
            self._tried[row["id"]] = clock.monotonic()
            reasons = await _in_time(self._reasons(row))
            await self._write(row, reasons)
            if reasons:
                store = str(row["organization_id"])
                log.warning("request_waits", request=str(row["id"]), store=store, kind=row["kind"], steps=reasons)

    async def _write(self, row: Row, reasons: Mapping[str, str]) -> None:
        """Where `privacy requests` reads it; what is settled has its own."""
        store, text = row["organization_id"], "; ".join(f"{step}: {reason}" for step, reason in reasons.items())
        async with scoped(self._process.pool(PRIVACY), {store}) as conn:
            await requests.waits(conn, store, row["id"], text or None)

    async def _reasons(self, row: Row) -> dict[str, str]:
        """Go on with one; step → why it waits."""
        try:
            if row["kind"] == _ERASURE:
                return await go_on(self._process, row)
            if row["kind"] == store_erasure.KIND:
                return await _erase_store(self._process, row)
            if row["kind"] in requested.KINDS and row["state"] == "asked":
                await requested.make(self._process, row)
        except (Refusal, Retryable, Sealed) as reason:
            return {"begin": str(reason)}
        return {}

    async def _measure(self) -> None:
        process, now = self._process, self._process.clock.now()
        async with scoped(process.pool(PRIVACY), await stores.all_ids(process.pool(PRIVACY))) as conn:
            rows = await requests.unsettled(conn)
        nearest = min((row["deadline"] for row in rows), default=now)
        self._metrics.open.set(sum(row["requests"] for row in rows if row["kind"] == _ERASURE))
        for state in ("asked", "made"):
            of_state = [row["requests"] for row in rows if row["kind"] in requested.KINDS and row["state"] == state]
            self._metrics.exports.labels(state).set(sum(of_state))
        self._metrics.stores.set(sum(row["requests"] for row in rows if row["kind"] == store_erasure.KIND))
        self._metrics.deadline.set((nearest - now).total_seconds())


async def _in_time(work: Awaitable[dict[str, str]]) -> dict[str, str]:
    """What is not done by then goes on later, from where it was."""
    try:
        async with asyncio.timeout(_REQUEST_SECONDS) as limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
        return {"time": f"it takes more than {_REQUEST_SECONDS:.0f} s: it goes on once others have had their turn"}


async def open_requests(process: Process) -> list[Row]:
    """Every store's erasures that are not settled."""
    return [row for row in await _open(process) if row["kind"] == _ERASURE]


async def _open(process: Process) -> Sequence[Row]:
    known = await stores.all_ids(process.pool(PRIVACY))
    async with scoped(process.pool(PRIVACY), known) as conn:
        return await requests.open_ones(conn, known, most=_MOST)


async def carry_on_stores(process: Process) -> list[tuple[str, dict[str, str]]]:
    """Go on with every store's erasure whose verb died or had to wait; each store, and step → why it waits."""
    begun = await _begun_stores(process)
    return [(str(store), await store_erasure.carry_on(process, store)) for store in begun]


async def _begun_stores(process: Process) -> list[UUID]:
    known = await stores.all_ids(process.pool(PRIVACY))
    async with scoped(process.pool(PRIVACY), known) as conn:
        return [row["organization_id"] for row in await erased_stores.unfinished(conn)]


async def replay(process: Process) -> list[tuple[str, dict[str, str]]]:
    """Do what the topic knows and the database does not; each request, and step → why it waits."""
    outcomes = []
    for event in await topic.everything(process.settings):
        store, told = event.record.store, event.erasure
        async with process.pool(PRIVACY).acquire(timeout=10) as conn:
            if store not in await stores.ids(conn):  # erased whole, or of another installation
                continue
        if isinstance(told, StoreAnnouncement):
            await store_erasure.begin(process, store, source="topic", asked_at=told.asked_at)
            outcomes.append((str(told.request), await store_erasure.carry_on(process, store)))
            continue
        async with scoped(process.pool(PRIVACY), {store}) as conn:
            row = await requests.one(conn, store, told.request)
        if row is None or row["state"] not in ("done", "refused"):
            begun = await erasure.begin_again(process, store, told.request, told)
            outcomes.append((str(told.request), await erasure.carry_on(begun)))
    return outcomes


async def _erase_store(process: Process, row: Row) -> dict[str, str]:
    """One that the topic tells was done, or that the store wished beforehand; others are an operator's to confirm."""
    store = row["organization_id"]
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        wished = await erased_stores.wished(conn, store)
    if row["source"] != "topic" and not wished:
        return {}
    await store_erasure.begin(process, store, source=row["source"], asked_at=row["asked_at"])
    return await store_erasure.carry_on(process, store)


async def go_on(process: Process, row: Row) -> dict[str, str]:
    """Begin or go on with one; step → why it waits. A refusal settles it. Raises Sealed."""
    store, request = row["organization_id"], row["id"]
    try:
        begun = await _begun(process, store, row)
    except Refusal as reason:
        async with scoped(process.pool(PRIVACY), {store}) as conn:
            await requests.move(conn, store, request, "refused", reason=str(reason))
        return {}
    return await erasure.carry_on(begun) if begun else {}


async def _begun(process: Process, store: UUID, row: Row) -> erasure.Erasure | None:
    if row["state"] == "running":
        return await erasure.resume(process, store, row["id"])
    if row["source"] == "topic":
        subject = process.secrets.open(row["subject"], organization=store, column=COLUMN)
        return await erasure.begin_again(process, store, row["id"], announcement_in(subject.encode()))
    asked = asked_in(process.secrets, store, row["subject"])
    return await erasure.begin(
        process, store, *asked.names, source=row["source"], request=row["id"], orders=asked.orders
    )
