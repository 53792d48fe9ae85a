"""The standing still of partitions that cannot go on, though Kafka and PostgreSQL are well: they keep their place.

A broken release, a missing grant: nothing is set aside, nobody else is held up, and they are tried again, more and more
seldom, until it works.
"""

from collections.abc import Iterable

from services.kernel.process import Process


class Standstill:
    """Which partitions of one consumer stand still, and until when."""

    def __init__(self, process: Process, group: str, topic: str) -> None:
        self._clock = process.clock
        self._trouble = process.trouble(f"{group} on {topic}", patience=1)
        self._until: dict[int, float] = {}

    def begin(self, partitions: Iterable[int], error: Exception) -> None:
        """These cannot go on for this reason."""
        until = self._clock.monotonic() + self._trouble.failed(error)
        self._until |= dict.fromkeys(partitions, until)

    def over(self) -> list[int]:
        """Those to be tried again now; they are in trouble until that has worked."""
        now = self._clock.monotonic()
        again = [partition for partition, until in self._until.items() if until <= now]
        self._until |= dict.fromkeys(again, float("inf"))
        return again

    def end(self, partitions: Iterable[int]) -> None:
        """These went on, or are somebody else's now."""
        if self._until:
            for one in partitions:
                self._until.pop(one, None)
            if not self._until:
                self._trouble.over()
