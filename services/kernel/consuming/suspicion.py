"""Whose fault it is when our own code fails on one record after the other.

One store's records: they are that store's poison, however many, and are set aside. Several stores', while nothing else
works: a broken release, for which nobody's records may be set aside. What happened to the last few batches counts, too:
a batch often holds one store alone. So a broken release costs dead letters of one store at the most, until others speak
up, and `dead-letters redrive` brings those back.
"""

from collections import Counter
from collections.abc import Sequence

from services.kernel.errors import Broken, describe
from services.kernel.record import Record, store_of

_A_PATTERN = 10  # so many failures in our own code, and not one success
_OF_OTHERS = 3  # of them beside the store that fails most: less is an odd record beside one store's poison

Bugs = Sequence[tuple[Record, Exception]]


class Suspicion:
    """What one group's code failed on since it last worked."""

    def __init__(self) -> None:
        self._failed = Counter[object]()  # by store, few of them: more make a pattern

    def weigh(self, bugs: Bugs, *, worked: bool) -> None:
        """Raise Broken when these, and those before, are no poison."""
        if worked or not bugs:
            return
        failed = self._failed + _by_store(bugs)
        if failed.total() < _A_PATTERN or failed.total() - max(failed.values()) < _OF_OTHERS:
            return
        error = bugs[0][1]
        raise Broken(
            f"records of {len(failed)} stores fail in our own code, one after the other ({describe(error)}): a broken "
            "release, nothing was set aside"
        ) from error

    def note(self, bugs: Bugs, *, worked: bool) -> None:
        """These were set aside, or this worked; both are committed."""
        if worked:
            self._failed.clear()
        else:
            self._failed += _by_store(bugs)


def _by_store(bugs: Bugs) -> Counter[object]:
    return Counter(store_of(record.store_name) for record, _ in bugs)
