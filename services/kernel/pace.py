"""When Chatwoot may be called: the pace towards a server, and the breaker of an account that fails."""

from dataclasses import dataclass

from services.kernel.errors import Retryable

MINUTE_SECONDS = 60.0
_FAILURES = 5  # in a row, then the account's breaker opens
_REST_SECONDS = (5.0, 10.0, 20.0, 40.0)  # the last one repeats


@dataclass(slots=True)
class Pace:
    """When one server may be called next; seconds of the monotonic clock."""

    gap: float
    next_at: float = 0.0
    closed_until: float = 0.0

    def take_turn(self, now: float) -> float:
        """Reserve the next turn and say how long to wait for it."""
        slow = 2 if self.closed_until and now < self.closed_until + MINUTE_SECONDS else 1
        at = max(now, self.next_at, self.closed_until)
        self.next_at = at + self.gap * slow
        return at - now


@dataclass(slots=True)
class Breaker:
    """One account's health: after failures in a row nobody calls for a while, then a single trial decides."""

    failures: int = 0
    open_until: float = 0.0

    def admit(self, now: float) -> None:
        if now < self.open_until:
            raise Retryable("Chatwoot failed several times in a row; it is left alone for a while")
        if self.failures >= _FAILURES:
            self._rest(now)  # this call is the trial: others wait for what it finds

    def failed(self, now: float) -> None:
        self.failures += 1
        if self.failures >= _FAILURES:
            self._rest(now)

    def succeeded(self) -> None:
        self.failures, self.open_until = 0, 0.0

    def _rest(self, now: float) -> None:
        self.open_until = now + _REST_SECONDS[min(self.failures - _FAILURES, len(_REST_SECONDS) - 1)]
