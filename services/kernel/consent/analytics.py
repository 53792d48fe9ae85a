"""Whether what a page told of somebody may name them: what is from before their last withdrawal may not.

A beacon is the visitor's own word at its moment, for the door takes none without consent. So only withdrawals are
looked for, and whatever the order of arrival, the same rows name somebody in the end.
"""

from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from db.pool import Connection
from db.privacy import consents as table
from services.kernel.forgetting.subjects import Pseudonyms, Subject

K = TypeVar("K", bound=Hashable)
Seen = tuple[K, UUID, datetime, Callable[[], Iterable[Subject]]]  # what, in which store, when, whom it names
AsksWithdrawn = Callable[[Connection, Collection[UUID], Iterable[Seen[K]]], Awaitable[set[K]]]


async def nobody_withdrew(_conn: Connection, _stores: Collection[UUID], _seen: Iterable[Seen[K]]) -> set[K]:
    """Where everybody still agrees."""
    return set()


class AnalyticsConsent:
    """Asked in the transaction that keeps a batch."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms

    async def withdrawn(self, conn: Connection, stores: Collection[UUID], seen: Iterable[Seen[K]]) -> set[K]:
        """Those of which somebody has taken their consent back at that moment or later. `seen` is what these stores'
        pages told; it is walked only where somebody ever did."""
        consents = await table.of_stores(conn, stores) if stores else {}
        if not any(one.withdrawn_until for one in consents.values()):
            return set()
        asked: dict[K, tuple[datetime, list[table.NamedDigest]]] = {}
        for key, store, at, names in seen:
            until = consents[store].withdrawn_until
            if until is not None and at <= until:
                digests = self._pseudonyms.of_all(store, set(names()))
                asked[key] = at, [(store, digest) for digest in digests]
        named = {one for _, its in asked.values() for one in its}
        until_by_name = await table.withdrawn(conn, named) if named else {}
        return {
            key
            for key, (at, its) in asked.items()
            if any(one in until_by_name and at <= until_by_name[one] for one in its)
        }
