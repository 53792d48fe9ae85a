"""What must be sent so that Chatwoot holds what we want: nothing, when it already does."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """Attributes to put and keys to remove."""

    changed: Mapping[str, Any]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


def difference(
    wanted: Mapping[str, Any], acknowledged: Mapping[str, Any], *, written: Collection[str] = ()
) -> Difference:
    """Compare by value and type. None means "nothing to say": Chatwoot would keep a null, so such a key is removed.

    Only keys that we wrote ourselves are ever removed: others may belong to the store's people or its widget.
    """
    present = {key: value for key, value in wanted.items() if value is not None}
    changed = {
        key: value for key, value in present.items() if key not in acknowledged or not _same(value, acknowledged[key])
    }
    removed = tuple(sorted(key for key in set(written) - set(present) if key in acknowledged))
    return Difference(changed, removed)


def changed_by_others(held: Mapping[str, Any], sent: Mapping[str, Any]) -> set[str]:
    """Keys that do not hold any more what we sent: an agent's hand, an automation, or a merge of two contacts."""
    return {key for key, value in sent.items() if key not in held or not _same(value, held[key])}


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: 4 and 4.0 are one number, True and 1 are not, a list has an order, a hash has none."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    return bool(one == other)
