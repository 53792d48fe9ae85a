"""Requests that are not settled go on by themselves: begun by a verb that died, asked by a shop, told by the topic."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import structlog
from prometheus_client import CollectorRegistry, Gauge

from db import stores
from db.pool import PRIVACY, Row, scoped
from db.privacy import erased_stores, requests
from services.kernel import Process, Refusal, Retryable, Sealed
from services.privacy import store_erasure
from services.privacy.asking import asked_in
from services.privacy.erasures import erasure, topic
from services.privacy.erasures.announcement import StoreAnnouncement, announcement_in
from services.privacy.exports import requested
from services.privacy.handlers import COLUMN

_ERASURE = "erasure"
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

    async def turn(self) -> bool:
        """Once through everything that is open; a store whose Chatwoot is away costs the others nothing."""
        self._wake.clear()
        left = 0
        for row in await _open(self._process):
            reasons = await self._reasons(row)
            await self._write(row, reasons)
            if reasons:
                left += row["kind"] == _ERASURE
                store = str(row["organization_id"])
                log.warning("request_waits", request=str(row["id"]), store=store, kind=row["kind"], steps=reasons)
        for store, waiting in await carry_on_stores(self._process):
            if waiting:
                log.warning("store_erasure_waits", store=store, steps=waiting)
        self._measure(await _open(self._process), left)
        return False

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

    def _measure(self, rows: Collection[Row], left: int) -> None:
        now = self._process.clock.now()
        nearest = min((row["deadline"] for row in rows), default=now)
        self._metrics.open.set(left)
        for state in ("asked", "made"):
            of_state = [row for row in rows if row["kind"] in requested.KINDS and row["state"] == state]
            self._metrics.exports.labels(state).set(len(of_state))
        self._metrics.stores.set(sum(row["kind"] == store_erasure.KIND for row in rows))
        self._metrics.deadline.set((nearest - now).total_seconds())


async def open_requests(process: Process) -> list[Row]:
    """Every store's erasures that are not settled."""
    return [row for row in await _open(process) if row["kind"] == _ERASURE]


async def _open(process: Process) -> Sequence[Row]:
    known = await stores.all_ids(process.pool(PRIVACY))
    async with scoped(process.pool(PRIVACY), known) as conn:
        return await requests.open_ones(conn)


async def carry_on_stores(process: Process) -> list[tuple[str, dict[str, str]]]:
    """Go on with every store's erasure whose verb died or had to wait; each store, and step → why it waits."""
    known = await stores.all_ids(process.pool(PRIVACY))
    async with scoped(process.pool(PRIVACY), known) as conn:
        rows = await erased_stores.unfinished(conn)
    begun = [row["organization_id"] for row in rows]
    return [(str(store), await store_erasure.carry_on(process, store)) for store in begun]


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
