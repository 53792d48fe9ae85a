"""Active stores whose secrets our installation keys do not open: nobody can say whether a request is theirs.

They are not unknown: a 401 tells a sender that it was refused for good, and our nginx to ask no other ingress.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.ingress.doors.refusals import Reason, Refused

_NAMED = 5  # in a sentence


class UnopenedStores:
    """By id, each with the names that requests use and the reason."""

    def __init__(self) -> None:
        self._by_id: dict[str, tuple[str, str, str]] = {}
        self._names: dict[str, str] = {}  # a short name or a website token → its store

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, store: str) -> bool:
        return store in self._by_id

    def put(self, row: Mapping[str, Any], reason: str) -> bool:
        """Whether that is news."""
        store, slug, token = str(row["organization_id"]), row["slug"], row["website_token"]
        before = self._by_id.get(store)
        self.drop(store)
        self._by_id[store] = slug, token, reason
        self._names |= {slug: store, token: store}
        return before != self._by_id[store]

    def drop(self, store: str) -> None:
        """It opens now, or is none of the active ones any more."""
        if gone := self._by_id.pop(store, None):
            for name in gone[:2]:
                if self._names.get(name) == store:
                    del self._names[name]

    def keep(self, stores: Mapping[str, int]) -> None:
        """Forget all but these."""
        for gone in self._by_id.keys() - stores.keys():
            self.drop(gone)

    def refuse(self, name: str) -> None:
        """Raises Refused where one of them bears this name."""
        if name in self._names:
            raise Refused(Reason.NOT_OPENED)

    def refuse_id(self, store: UUID) -> None:
        """The same by its id."""
        if str(store) in self._by_id:
            raise Refused(Reason.NOT_OPENED)

    def sentence(self) -> str:
        """Which, why, and the cure."""
        slugs = sorted(slug for slug, _, _ in self._by_id.values())
        more = f" and {len(slugs) - _NAMED} more" if len(slugs) > _NAMED else ""
        _, _, reason = next(iter(self._by_id.values()))
        return (
            f"{', '.join(slugs[:_NAMED])}{more} get 503 or are served as before, because their secrets are sealed with "
            f"a key that is not here ({reason}): put it behind the others, see `wootstream keys list`"
        )
