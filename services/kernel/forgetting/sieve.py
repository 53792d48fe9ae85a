"""Which records of a batch are about somebody erased since they were received: asked in the batch's own transaction."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from db.pool import Connection
from db.privacy import erased as table
from services.kernel.forgetting.subjects import Pseudonyms, Subject
from services.kernel.forgetting.unreadable import subjects_of_bytes
from services.kernel.record import Carries, Record, all_received_after

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
        self, conn: Connection, erased: Mapping[str, datetime], events: Collection[E], unreadable: Collection[Record]
    ) -> set[Record]:
        """Those to drop. `erased` is each store's last erasure, by the name that its records bear: what was received
        after it is not looked at.

        So a store without erased people costs nothing, and live traffic next to nothing; of what is older there is one
        look by index for the whole batch. Of an unreadable record, whoever its bytes seem to name is asked for: set
        aside, it would bring them back as well.
        """
        if all_received_after([*(one.record for one in events), *unreadable], max(erased.values())):
            return set()
        old = [
            (one.record, self.subjects(one))
            for one in events
            if (last := erased.get(one.record.store_name)) and not one.record.received_after(last)
        ]
        old += [
            (one, subjects_of_bytes(one))
            for one in unreadable
            if (last := erased.get(one.store_name)) and not one.received_after(last)
        ]
        named = {record: self._digests(record.store, subjects) for record, subjects in old}
        asked = {digest for digests in named.values() for digest in digests}
        until = await table.among(conn, asked) if asked else {}
        return {
            record
            for record, digests in named.items()
            if any(not record.received_after(until[one]) for one in digests & until.keys())
        }

    def _digests(self, store: UUID, subjects: Iterable[Subject]) -> set[tuple[UUID, bytes]]:
        return {(store, digest) for digest in self.pseudonyms.of_all(store, set(subjects))}
