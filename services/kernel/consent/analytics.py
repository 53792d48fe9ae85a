"""Whether what a page told of somebody may name them: what is from before their last withdrawal may not.

A beacon is the visitor's own word at its moment, for the door takes none without consent. So only withdrawals are
looked for, and whatever the order of arrival, the same rows name somebody in the end.
"""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from db.pool import Connection
from db.privacy import consents as table
from services.kernel.forgetting.subjects import Pseudonyms, Subject

K = TypeVar("K", bound=Hashable)
Seen = tuple[UUID, datetime, Callable[[], Iterable[Subject]]]  # store, moment, whom it names
AsksWithdrawn = Callable[[Connection, Mapping[K, Seen]], Awaitable[set[K]]]


async def nobody_withdrew(_conn: Connection, _seen: Mapping[K, Seen]) -> set[K]:
    """Where everybody still agrees."""
    return set()


class AnalyticsConsent:
    """Asked in the transaction that keeps a batch."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms

    async def withdrawn(self, conn: Connection, seen: Mapping[K, Seen]) -> set[K]:
        """Those of which somebody has taken their consent back at that moment or later."""
        stores = await table.of_stores(conn, {store for store, _, _ in seen.values()}) if seen else {}
        asked: dict[K, tuple[datetime, list[table.NamedDigest]]] = {}
        for key, (store, at, names) in seen.items():
            until = stores[store].withdrawn_until
            if until is not None and at <= until:
                digests = [digest for name in set(names()) for digest in self._pseudonyms.of(store, name)]
                asked[key] = at, [(store, digest) for digest in digests]
        named = {one for _, its in asked.values() for one in its}
        until_by_name = await table.withdrawn(conn, named) if named else {}
        return {
            key
            for key, (at, its) in asked.items()
            if any(one in until_by_name and at <= until_by_name[one] for one in its)
        }
