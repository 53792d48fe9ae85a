"""Which records of a batch are about somebody erased since they were received: asked in the batch's own transaction."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar
from uuid import UUID

from db.pool import Connection
from db.privacy import erased as table
from schemas.bounds import EARLIEST
from services.kernel.errors import Invalid
from services.kernel.forgetting.subjects import Pseudonyms, Subject
from services.kernel.forgetting.unreadable import subjects_of_bytes
from services.kernel.record import Record, store_of

E = TypeVar("E")
Names = Callable[[], Iterable[Subject]]


def nobody(_: object) -> Iterable[Subject]:
    """The subjects of events that are about no person."""
    return ()


@dataclass(frozen=True, slots=True)
class About(Generic[E]):
    """Whom a subscription's events are about, and who of them was erased."""

    pseudonyms: Pseudonyms
    subjects: Callable[[E], Iterable[Subject]]

    def event(self, event: E) -> Names:
        return partial(self.subjects, event)

    def unreadable(self, record: Record) -> Names:
        """Whoever its bytes seem to name: set aside, it would bring them back as well."""
        return partial(subjects_of_bytes, record)

    async def those_erased(
        self, conn: Connection, erased: Mapping[UUID, datetime], records: Mapping[Record, Names]
    ) -> set[Record]:
        """Those to drop. `erased` is each store's last erasure: what was received after it is not looked at.

        So a store without erased people costs nothing, and live traffic next to nothing; of what is older there is one
        look by index for the whole batch.
        """
        asked: list[tuple[UUID, bytes]] = []
        old: list[tuple[Record, datetime, range]] = []
        for record, named in records.items():
            store = store_of(record.store_name)
            if store is None or store not in erased or (at := _received_at(record)) > erased[store]:
                continue
            begin = len(asked)
            asked += [(store, digest) for subject in set(named()) for digest in self.pseudonyms.of(store, subject)]
            old.append((record, at, range(begin, len(asked))))
        until = await table.among(conn, list(set(asked))) if asked else {}
        return {
            record for record, at, its in old if any(asked[one] in until and at <= until[asked[one]] for one in its)
        }


def _received_at(record: Record) -> datetime:
    try:
        return record.received_at
    except Invalid:  # it does not say, so it may be as old as any
        return EARLIEST
