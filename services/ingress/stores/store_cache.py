"""The stores kept fresh: changes when told of, and every 8 s; new names when asked for; from a copy on disk while
PostgreSQL is away."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from itertools import islice
from uuid import UUID

import asyncpg
import structlog

from db import stores as table
from db.pool import INGRESS, Connection, Row
from db.privacy import seals
from db.privacy.seals import SealTreeRow
from schemas.stores import SLUG, WEBSITE_TOKEN
from services.ingress.doors.refusals import Reason, Refused
from services.ingress.metrics import IngressMetrics
from services.ingress.stores.disk_copy import StoresCopy, copy_in
from services.ingress.stores.lookup import Lookup
from services.ingress.stores.store import NOBODY, Store, opened
from services.ingress.stores.unopened import UnopenedStores
from services.kernel import Process, Sealed
from services.kernel.errors import Verdict, describe, verdict
from services.kernel.sealing.sealed_trees import sealed_tree

POLL_SECONDS = 8.0  # and two for the query: a secret that leaked is refused everywhere within 10
_READ_SECONDS = 2.0  # within the 3 s of who waits for a look-up
_OLD_SECONDS = 3 * POLL_SECONDS
_READ_STORES = 200  # in one statement
_SLICE_STORES = 20  # opened, at about 0.1 ms each, until the loop turns again
_AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
_NOT_READ = 0  # no row's version but once in 2^64
_SLUG, _WEBSITE_TOKEN = re.compile(SLUG), re.compile(WEBSITE_TOKEN)
log = structlog.get_logger()


class KnownStores:
    """All active stores, by the names that requests use."""

    def __init__(self) -> None:
        self.by_id: dict[UUID, Store] = {}
        self.by_slug: dict[str, Store] = {}
        self.by_website: dict[str, Store] = {}
        self.origins: Counter[str] = Counter()  # how many stores have each

    def put(self, store: Store) -> None:
        """Add it, or let it take its earlier self's place."""
        self.drop(store.id)
        self.by_id[store.id] = self.by_slug[store.slug] = self.by_website[store.website_token] = store
        self.origins.update(store.origins)

    def drop(self, store: UUID) -> None:
        """A name that another store bears by now stays that one's."""
        if gone := self.by_id.pop(store, None):
            if self.by_slug.get(gone.slug) is gone:
                del self.by_slug[gone.slug]
            if self.by_website.get(gone.website_token) is gone:
                del self.by_website[gone.website_token]
            for origin in gone.origins:
                self.origins[origin] -= 1
                if not self.origins[origin]:
                    del self.origins[origin]


class StoreCache:
    """Every active store, by the names that requests use."""

    def __init__(self, process: Process, metrics: IngressMetrics) -> None:
        self._process = process
        self._metrics = metrics
        self._copy = StoresCopy(copy_in(process.settings.data_directory), process.secrets)
        # Strangers may hold half of the connections; the other half is for those whom we know.
        self._lookup = Lookup(process.clock, self._look, most=max(1, process.settings.http_connections // 2))
        self._versions: dict[str, int] = {}  # by the store's id as text, which thousands of compare ten times as fast
        self._polled_at = process.clock.monotonic()
        metrics.stores_read.set(process.clock.now().timestamp())  # or who never reads them would never be told of
        self._lost_trees: list[SealTreeRow] = []
        self.changed = asyncio.Event()  # something that the next look will find
        self.known = KnownStores()
        self.unopened = UnopenedStores()
        self.loaded = self._was_told = False
        self._recall()

    async def named(self, slug: str, deadline: float) -> Store:
        """The store of this short name, or NOBODY once PostgreSQL has said so. Raises Refused if it does not, or if its
        secrets cannot be opened here."""
        if store := self.known.by_slug.get(slug):
            return store
        self.unopened.refuse(slug)
        if _SLUG.fullmatch(slug):  # no other name can be one
            await self._lookup.wait(slug, deadline)
            self._refuse_unopened(slug, self.known.by_slug)
        return self.known.by_slug.get(slug, NOBODY)

    async def of_website(self, token: str, deadline: float) -> Store:
        """The same by its widget's token."""
        if store := self.known.by_website.get(token):
            return store
        self.unopened.refuse(token)
        if _WEBSITE_TOKEN.fullmatch(token):
            await self._lookup.wait(token, deadline)
            self._refuse_unopened(token, self.known.by_website)
        return self.known.by_website.get(token, NOBODY)

    def of_token(self, store: UUID | None) -> Store | None:
        """The store that a page's token names; None where no key of ours made it, or too long ago. Raises Refused where
        that may be for want of a key, or of PostgreSQL, alone."""
        if store is None and not self.known.by_id and self.unopened:
            raise Refused(Reason.NOT_OPENED)
        if store is None:
            return None
        if (found := self.known.by_id.get(store)) is None:
            self.unopened.refuse_id(store)
            # Another door knew it when it made the token, which a page would throw away for a 401.
            if self._is_old():
                raise Refused(Reason.NOT_LOOKED_UP)
        return found

    def _is_old(self) -> bool:
        """Whether there may be stores of which PostgreSQL has not told."""
        return not self._was_told or self._process.clock.monotonic() - self._polled_at >= _OLD_SECONDS

    def doubt(self, store: Store) -> None:
        """Its secrets refuse a request: they may have been changed since the last poll. Look again within a second."""
        if store.slug:
            self._lookup.ask(store.slug)

    async def refresh(self) -> bool:
        """Read what has changed; while PostgreSQL is away the stores in memory stay as they are."""
        self.changed.clear()
        before = dict(self._versions)
        try:
            async with self._reading() as conn:
                versions = await table.door_versions(conn)
            await self._read(store for store, _ in versions.items() - before.items())
            await self._tell_trees()
        except Exception as error:
            if verdict(error) is not Verdict.AGAIN:
                raise
            log.warning("stores_are_not_refreshed", error=describe(error))
        else:
            self._forget(before.keys() - versions.keys())
            self.unopened.keep(versions)
            self._polled()
        await self._copy.write()
        return False

    def fault(self) -> str | None:
        """For /ready: without any store every sender would be turned away."""
        if self.unopened and not self.known.by_id:
            return f"no store can be served: {self.unopened.sentence()}"
        return None if self.loaded else "no store is known: PostgreSQL has not answered, and there is no earlier copy"

    def remark(self) -> str | None:
        """For /ready, which stays 200: known stores are served as ever, and no other process could serve the rest."""
        age = self._process.clock.monotonic() - self._polled_at
        if age < _OLD_SECONDS or not self.loaded:
            return self.unopened.sentence() if self.unopened and self.known.by_id else None
        return f"PostgreSQL has not told of the stores for {age:.0f} s: those known are served, new ones get 503"

    async def close(self) -> None:
        await self._lookup.close()

    async def _look(self, names: Collection[str]) -> bool:
        try:
            async with self._reading() as conn:
                rows = await table.doors_named(conn, names)
        except _AWAY as error:
            log.warning("names_are_not_looked_up", error=describe(error), names=len(names))
            return False
        await self._take([row for row in rows if self._versions.get(str(row["organization_id"])) != row["version"]])
        return True

    async def _read(self, stores: Iterable[str]) -> None:
        rest = iter(stores)
        while part := list(islice(rest, _READ_STORES)):
            async with self._reading() as conn:
                rows = await table.doors_of(conn, part)
            await self._take(rows)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Connection]:
        """A connection for one statement, both within the time. One given up in mid-statement is not used again."""
        async with asyncio.timeout(_READ_SECONDS), self._process.pool(INGRESS).acquire(timeout=_READ_SECONDS) as conn:
            yield conn

    async def _take(self, rows: Iterable[Row]) -> None:
        for number, row in enumerate(rows, 1):
            if self._put(row):
                self._copy.keep(row)
            if number % _SLICE_STORES == 0:
                await asyncio.sleep(0)

    def _put(self, row: Row) -> bool:
        """One whose secrets cannot be opened stays as it was, and costs the others nothing."""
        name = str(row["organization_id"])
        # No version tells that its key is put here, or that this copy is of another release: read again with each poll.
        self._versions[name] = _NOT_READ
        try:
            store = opened(row, self._process.secrets)
            self._note_trees(self.known.by_id.get(store.id), store)
            self.known.put(store)
        except Sealed as reason:
            if self.unopened.put(row, str(reason)):
                log.error("store_cannot_be_read", store=row["slug"], reason=str(reason))
            return False
        except KeyError as reason:  # the copy lacks a column
            log.error("store_cannot_be_read", store=row["slug"], reason=str(reason))
            return False
        self._versions[name] = row.get("version", _NOT_READ)
        self.unopened.drop(name)
        return True

    def _refuse_unopened(self, name: str, known: Mapping[str, Store]) -> None:
        if name not in known:
            self.unopened.refuse(name)

    def _note_trees(self, before: Store | None, now: Store) -> None:
        """Those that PostgreSQL told once and does not tell now: it may be an older database that was put back."""
        told = {one.id for one in now.sealer.trees} if now.sealer else set()
        lost = [one for one in before.sealer.trees if one.id not in told] if before and before.sealer else []
        secrets = self._process.secrets
        self._lost_trees += [
            SealTreeRow(now.id, one.id, one.begins_at, sealed_tree(now.id, one.tree, secrets)) for one in lost
        ]

    async def _tell_trees(self) -> None:
        """What only we know would be gone with us, and with it what it has sealed. What is known stays as it is."""
        if self._lost_trees:
            async with self._reading() as conn:
                await seals.add(conn, self._lost_trees)
            self._lost_trees = []

    def _forget(self, stores: Iterable[str]) -> None:
        for store in stores:
            self._versions.pop(store, None)
            self.known.drop(UUID(store))
            self._copy.drop(store)

    def _polled(self) -> None:
        self.loaded = self._was_told = True
        self._polled_at = self._process.clock.monotonic()
        self._metrics.stores_read.set_to_current_time()

    def _recall(self) -> None:
        for row in self._copy.read():
            self._put(row)
        self.loaded = bool(self.known.by_id)
