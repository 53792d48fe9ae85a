"""What seals a store's records: its trees, and how to name whom a record is about. Waits for nobody."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from services.kernel.forgetting.subjects import Pseudonyms, Subject
from services.kernel.record import Record
from services.kernel.sealing.envelope import SealHeader, names_of, sealed
from services.kernel.sealing.keys import TreeKeys
from services.kernel.sealing.sealed_trees import opened_tree
from services.kernel.secrets import Secrets

_MOST_NAMES = 8
_KEY_BYTES = 8
_NOBODYS_BYTES = 32


@dataclass(frozen=True, slots=True)
class Sealer:
    """One store's; `trees` in the order of their times."""

    store: UUID
    trees: Sequence[TreeKeys]
    pseudonyms: Pseudonyms = field(repr=False)
    key_secret: bytes = field(repr=False)

    def sealed(self, record: Record, about: Iterable[Subject]) -> Record:
        """The record sealed for these, each of whom can take the key away.

        Whoever was erased until later than now, as Chatwoot's numbers are, has none: what is still told of them is
        dropped when it is read, and sealed with what nobody knows.
        """
        names = names_of([one[0] for one in map(self._digests, list(dict.fromkeys(about))[:_MOST_NAMES])])
        at = record.received_at
        tree = self._tree_at(at)
        keys = tree.of(names, at) or os.urandom(_NOBODYS_BYTES)
        key = f"{self.store}:{self._stand_in(record.key or b'')}".encode()
        return sealed(record, SealHeader(tree.id, names), keys, key=key)

    def _digests(self, subject: Subject) -> Sequence[bytes]:
        return self.pseudonyms.of(self.store, subject)

    def _tree_at(self, at: datetime) -> TreeKeys:
        """The newest that has begun, else the first."""
        return next((one for one in reversed(self.trees) if one.begins_at <= at), self.trees[0])

    def _stand_in(self, key: bytes) -> str:
        """The same for the same key, so that a person's records keep their order."""
        return hashlib.blake2b(key, key=self.key_secret, digest_size=_KEY_BYTES).hexdigest()


def sealer_of(
    store: UUID, rows: Iterable[Mapping[str, Any]], secrets: Secrets, pseudonyms: Pseudonyms
) -> Sealer | None:
    """`rows` are trees as the table has them; None where there is none. Raises Sealed."""
    trees = sorted(
        (opened_tree(store, row, secrets) for row in rows if row["tree"]), key=lambda one: (one.begins_at, one.id)
    )
    if not trees:
        return None
    return Sealer(store, trees, pseudonyms, secrets.derive("keys of sealed records")[0])
