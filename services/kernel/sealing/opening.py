"""Sealed records are opened here, and nowhere else, in the transaction that reads them.

A record whose key was destroyed is about somebody who was forgotten, or older than any key is kept. Where no tree is
known, this database may be an older one that was put back: a door that has the tree tells it again.
"""

from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from db.pool import Connection
from db.privacy import seals as table
from db.privacy.seals import TreeName
from services.kernel.clock import Clock
from services.kernel.errors import Invalid, Retryable, Sealed
from services.kernel.record import Record, store_of
from services.kernel.sealing.envelope import SealHeader, header_of, opened
from services.kernel.sealing.keys import TreeKeys
from services.kernel.sealing.sealed_trees import opened_tree
from services.kernel.secrets import Secrets

# A door that knows a tree better than PostgreSQL tells it with its next look at the stores; then that is over.
PATIENCE_SECONDS = 60.0
_IMPATIENT_SECONDS = 600.0
_MOST_NODES = 200_000  # remembered, about 40 MB
_UNKNOWN = "it is sealed with a key that this database does not have: `dead-letters redrive` once it is told again"


@dataclass(frozen=True, slots=True)
class Unopened:
    """What could not be opened: because its key was destroyed, or for this reason."""

    forgotten: set[Record] = field(default_factory=set)
    bad: dict[Record, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.forgotten or self.bad)

    def __contains__(self, record: Record) -> bool:
        return record in self.forgotten or record in self.bad


class SealOpener:
    """Remembers trees as long as they are what the table has."""

    def __init__(self, secrets: Secrets, clock: Clock) -> None:
        self._secrets = secrets
        self._clock = clock
        self._trees: dict[TreeName, tuple[int, TreeKeys]] = {}
        self._unknown_since: dict[UUID, float] = {}

    async def open(
        self, conn: Connection, records: Iterable[Record], there: Container[str], *, patient: bool = True
    ) -> Unopened:
        """Open those that are sealed; `there` are the names of the stores that are, which must be in scope.

        Raises Retryable while a tree is not known and may yet be told; not if one is not `patient`.
        """
        result = Unopened()
        closed = {one: header for one in records if one.is_closed and (header := _header(one, there, result))}
        if not closed:
            return result
        named = {(one.store, header.tree) for one, header in closed.items()}
        known = await self._known(conn, named)
        for one, header in closed.items():
            place = one.store, header.tree
            if place not in known:
                if patient:
                    self._wait_for(one.store)
                result.bad[one] = _UNKNOWN
            else:
                _open(one, header, known[place], result)
        return result

    async def _known(self, conn: Connection, named: Collection[TreeName]) -> Mapping[TreeName, TreeKeys | None]:
        """None: its time is over. Those that nobody can open with this installation's keys are not known either."""
        versions = await table.versions(conn, named)
        stale = [one for one, (version, there) in versions.items() if there and self._version(one) != version]
        for row in await table.trees(conn, stale) if stale else ():
            self._remember((row["organization_id"], row["id"]), row)
        for store in {store for store, _ in named} - {store for store, _ in named - self._trees.keys()}:
            self._unknown_since.pop(store, None)
        return {
            one: self._trees[one][1] if there else None
            for one, (_, there) in versions.items()
            if not there or one in self._trees
        }

    def _version(self, one: TreeName) -> int:
        return self._trees[one][0] if one in self._trees else 0

    def _remember(self, one: TreeName, row: Mapping[str, object]) -> None:
        self._trees.pop(one, None)
        if row["tree"] is None:
            return
        try:
            tree = opened_tree(one[0], row, self._secrets)
        except Sealed:
            return
        if sum(len(keys.tree.nodes) for _, keys in self._trees.values()) + len(tree.tree.nodes) > _MOST_NODES:
            self._trees.clear()
        self._trees[one] = int(str(row["version"])), tree

    def _wait_for(self, store: UUID) -> None:
        """Raises Retryable for a while; then this store's records are set aside at once, and nobody waits for them."""
        now = self._clock.monotonic()
        since = self._unknown_since.get(store)
        if since is None or now - since > _IMPATIENT_SECONDS:
            since = self._unknown_since[store] = now
        if now - since < PATIENCE_SECONDS:
            raise Retryable("a record is sealed with a key that PostgreSQL does not know yet")


def _header(record: Record, there: Container[str], result: Unopened) -> SealHeader | None:
    try:
        header = header_of(record)
        _ = record.store, record.received_at
    except Invalid as why:
        result.bad[record] = str(why)
        return None
    if record.store_name not in there:
        result.forgotten.add(record)  # with the store's trees
        return None
    return header


def _open(record: Record, header: SealHeader, tree: TreeKeys | None, result: Unopened) -> None:
    keys = tree.of(header.names, record.received_at) if tree else None
    if keys is None:
        result.forgotten.add(record)
        return
    try:
        record.open_as(*opened(record, keys))
    except Invalid as why:
        result.bad[record] = str(why)


async def opened_records(conn: Connection, opener: SealOpener, records: Collection[Record]) -> Unopened:
    """For a verb: each as far as it can be opened now; whoever's store is in scope."""
    there = {one.store_name for one in records if store_of(one.store_name)}
    return await opener.open(conn, records, there, patient=False)
