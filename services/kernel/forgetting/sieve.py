"""Which records of a batch are about somebody erased since they were received: asked in the batch's own transaction."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from db.pool import Connection
from db.privacy import erased as table
from schemas.bounds import EARLIEST
from services.kernel.errors import Invalid
from services.kernel.forgetting.subjects import Pseudonyms, Subject
from services.kernel.forgetting.unreadable import subjects_of_bytes
from services.kernel.record import Carries, Record, store_of

E = TypeVar("E", bound=Carries)


def nobody(_: object) -> Iterable[Subject]:
    """The subjects of events that are about no person."""
    return ()


@dataclass(frozen=True, slots=True)
class About(Generic[E]):
    """Whom a subscription's events are about, and who of them was erased."""

    pseudonyms: Pseudonyms
    subjects: Callable[[E], Iterable[Subject]]

    async def those_erased(
        self, conn: Connection, erased: Mapping[UUID, datetime], events: Iterable[E], unreadable: Iterable[Record]
    ) -> set[Record]:
        """Those to drop. `erased` is each store's last erasure: what was received after it is not looked at.

        So a store without erased people costs nothing, and live traffic next to nothing; of what is older there is one
        look by index for the whole batch. Of an unreadable record, whoever its bytes seem to name is asked for: set
        aside, it would bring them back as well.
        """
        latest = _Latest(erased)
        old = [(one.record, self.subjects(one)) for one in events if latest.may_concern(one.record)]
        old += [(one, subjects_of_bytes(one)) for one in unreadable if latest.may_concern(one)]
        named = {record: self._digests(record.store, subjects) for record, subjects in old}
        asked = {digest for digests in named.values() for digest in digests}
        until = await table.among(conn, asked) if asked else {}
        return {
            record
            for record, digests in named.items()
            if any(_received_at(record) <= until[one] for one in digests & until.keys())
        }

    def _digests(self, store: UUID, subjects: Iterable[Subject]) -> set[tuple[UUID, bytes]]:
        return {(store, digest) for subject in set(subjects) for digest in self.pseudonyms.of(store, subject)}


class _Latest:
    """Each store's last erasure, by the name that its records bear."""

    def __init__(self, erased: Mapping[UUID, datetime]) -> None:
        self._erased = erased
        self._by_name: dict[str, datetime | None] = {}

    def may_concern(self, record: Record) -> bool:
        """Whether it was received before somebody of its store was erased."""
        name = record.store_name
        if name not in self._by_name:
            store = store_of(name)
            self._by_name[name] = self._erased.get(store) if store else None
        last = self._by_name[name]
        return last is not None and _received_at(record) <= last


def _received_at(record: Record) -> datetime:
    try:
        return record.received_at
    except Invalid:  # it does not say, so it may be as old as any
        return EARLIEST
