"""What the ingress keeps sealed on this disk, for `wootstream keys`: its spools and its copy of the stores."""

from collections import Counter
from collections.abc import Callable

from services.ingress.spool.reseal import reseal_spools, spools_by_key
from services.ingress.stores.disk_copy import copy_in, reseal, sealed_lines
from services.kernel import Settings
from services.kernel.secrets import Secrets, sealed_with


class Spools:
    """Records that wait for Kafka."""

    name = "spools here"

    def __init__(self, settings: Settings) -> None:
        self._directory = settings.data_directory / "spool"

    def by_key(self) -> Counter[str]:
        """How many files each key sealed."""
        return spools_by_key(self._directory)

    def reseal(self, secrets: Secrets, tell: Callable[[int, int], None]) -> None:
        """All but those of living processes."""
        reseal_spools(self._directory, secrets, tell)


class StoreCopies:
    """The stores, for a start while PostgreSQL is away."""

    name = "copies of stores here"

    def __init__(self, settings: Settings) -> None:
        self._file = copy_in(settings.data_directory)

    def by_key(self) -> Counter[str]:
        return Counter(sealed_with(sealed) for _, sealed in sealed_lines(self._file))

    def reseal(self, secrets: Secrets, _tell: Callable[[int, int], None]) -> None:
        """A living ingress goes on writing with the key that it started with."""
        reseal(self._file, secrets)
