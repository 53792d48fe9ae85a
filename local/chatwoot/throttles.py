"""rack-attack's throttles: fixed windows of a minute aligned to the clock; loopback is exempt unless set otherwise."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime

_LOOPBACK = {"127.0.0.1", "::1"}


class Throttles:
    """Calls per minute; change the numbers freely, `enforce_on_loopback` makes them count for tests on one machine."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.per_address = 3000  # rack-attack's default for one address, per minute
        self.searches_per_account = 100  # config/initializers/rack_attack.rb: contact searches, for each account
        self.enforce_on_loopback = False
        self.refused = 0  # calls so far, for being too many
        self._now = now
        self._minute = 0
        self._used: Counter[str] = Counter()

    def allow(self, address: str, path: str) -> bool:
        """Count a call; False when it is one too many for this minute. `address` is the client's, forwarded or not."""
        if address in _LOOPBACK and not self.enforce_on_loopback:
            return True
        self._turn()
        fits = self._count(address, self.per_address)
        if path.endswith("/contacts/search"):
            fits = self._count(path, self.searches_per_account) and fits
        self.refused += not fits
        return fits

    def spend(self, address: str, calls: int) -> None:
        """As if the address had made so many calls in this minute."""
        self._turn()
        self._used[address] += calls

    def _turn(self) -> None:
        minute = int(self._now().timestamp()) // 60
        if minute != self._minute:
            self._minute = minute
            self._used.clear()

    def _count(self, key: str, limit: int) -> bool:
        self._used[key] += 1
        return self._used[key] <= limit
