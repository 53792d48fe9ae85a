"""Whether one consumer is alive: it finishes transactions, has nothing to do, or knowingly waits. Else it is stuck."""

from collections.abc import Iterator
from contextlib import contextmanager

from services.kernel.clock import Clock

_STUCK_SECONDS = 60.0  # as long as the pool gives a statement: what takes longer hangs elsewhere


class Liveness:
    """Told by the handler, asked by /live."""

    def __init__(self, clock: Clock, group: str, topic: str) -> None:
        self._clock = clock
        self._group = group
        self._topic = topic
        self._busy_since: float | None = None

    def beat(self) -> None:
        """Something was begun or finished just now, and more is to come."""
        self._busy_since = self._clock.monotonic()

    def rest(self) -> None:
        """Nothing is in hand."""
        self._busy_since = None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Knowingly waiting for the world: alive, though nothing moves."""
        self.rest()
        try:
            yield
        finally:
            self.beat()

    def fault(self) -> str | None:
        """What is wrong, in one sentence, or None."""
        if self._busy_since is not None and self._clock.monotonic() - self._busy_since > _STUCK_SECONDS:
            return f"{self._group} has not finished a transaction on {self._topic} for {_STUCK_SECONDS:.0f} s"
        return None
