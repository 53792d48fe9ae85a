"""Whose data the law bids a store to keep: what names one of them does not leave with its time."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from services.kernel.forgetting.subjects import Pseudonyms, Subject


@dataclass(frozen=True, slots=True)
class LegalHolds:
    """The hashes of their names in one store."""

    store: UUID
    digests: frozenset[bytes]
    pseudonyms: Pseudonyms

    def __bool__(self) -> bool:
        return bool(self.digests)

    def bind(self, subjects: Iterable[Subject]) -> bool:
        """Whether one of these is a name of theirs."""
        return bool(self.digests) and any(
            digest in self.digests for one in subjects for digest in self.pseudonyms.of(self.store, one)
        )
