"""How many events a page and a network may send in a minute: the only door that says 429."""

from services.kernel import Clock

_MINUTE_SECONDS = 60
# Names counted in one minute; whoever comes beyond shares one count.
_MOST_NAMES = 100_000
_OTHERS = ""


class Quota:
    """So many a minute for each name, by the minute of our clock; forgotten with the minute."""

    def __init__(self, clock: Clock, per_minute: int) -> None:
        self._clock = clock
        self._per_minute = per_minute
        self._minute = -1
        self._used: dict[str, int] = {}

    def take(self, name: str, count: int) -> bool:
        """Whether `count` more fit; if so they are used up."""
        minute = int(self._clock.monotonic() // _MINUTE_SECONDS)
        if minute != self._minute:
            self._minute, self._used = minute, {}
        if name not in self._used and len(self._used) >= _MOST_NAMES:
            name = _OTHERS
        used = self._used.get(name, 0) + count
        if used > self._per_minute:
            return False
        self._used[name] = used
        return True
