"""The keys of one tree, reckoned where they are needed: a name's hour is remembered, for its records come together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.kernel.sealing.tree import LAST_SECOND, LEAF_DEPTH, SECOND_BITS, Tree, descend, path_of

_HOUR_BITS = 12  # 68 minutes
_HOUR_DEPTH = LEAF_DEPTH - _HOUR_BITS // 2
_MOST_REMEMBERED = 4_000  # under 1 MB a tree
WHOLE_STORE = 0  # the name of what is about nobody


@dataclass(frozen=True, slots=True)
class TreeKeys:
    """A tree of one store, and since when it seals."""

    id: UUID
    begins_at: datetime
    tree: Tree
    _hours: dict[int, bytes] = field(default_factory=dict, repr=False)

    def second_of(self, moment: datetime) -> int:
        """Of the tree's time. A door that has no newer tree goes on with its last second."""
        return min(max(int(moment.timestamp() - self.begins_at.timestamp()), 0), LAST_SECOND)

    def of(self, names: Sequence[int], moment: datetime) -> bytes | None:
        """What all of these names' keys are needed for, joined; None: one of them was taken out."""
        second, joined = self.second_of(moment), b""
        for name in names or (WHOLE_STORE,):
            key = self._key(path_of(name, second))
            if key is None:
                return None
            joined += key
        return joined

    def _key(self, path: int) -> bytes | None:
        hour = self._hours.get(path >> _HOUR_BITS)
        if hour is None:
            node = self.tree.above(path)
            if node is None:
                return None
            if node.depth > _HOUR_DEPTH:
                return descend(node.secret, path, node.depth, LEAF_DEPTH)
            hour = descend(node.secret, path, node.depth, _HOUR_DEPTH)
            if len(self._hours) >= _MOST_REMEMBERED:
                self._hours.clear()
            self._hours[path >> _HOUR_BITS] = hour
        return descend(hour, path, _HOUR_DEPTH, LEAF_DEPTH)

    def without(self, name: int, until: datetime) -> "TreeKeys":
        """The same without what this name's records until then (the whole second) were sealed with."""
        if until < self.begins_at:
            return self
        left = self.tree.without(path_of(name, 0), path_of(name, self.second_of(until)))
        return self if left.nodes == self.tree.nodes else TreeKeys(self.id, self.begins_at, left)


assert _HOUR_BITS <= SECOND_BITS
