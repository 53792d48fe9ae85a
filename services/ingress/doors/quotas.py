"""How much a page and a network may send in a minute: the storefronts' doors are the only ones that say 429.

Each store has its own counts, and its own part of the memory for them: its flood uses up nobody else's. The network
counts before the session, for sessions cost an attacker nothing but requests. Where more names come than are counted,
those of the minute before keep their places; a new one without a place goes by what is above it alone: a session by its
network's count, a network by the half of its store's count that newcomers may use.
"""

from typing import NamedTuple
from uuid import UUID

from services.kernel import Clock, Settings

_MINUTE_SECONDS = 60
# Names in one minute, about 20 MB; of them at most one store's part in each of its tables, and newcomers' part of that.
_MOST_NAMES = 100_000
_MOST_OF_A_STORE = 2_000
_MOST_NEWCOMERS = 1_000

EventCounts = dict[str, int]


class _Used:
    """What one store's pages used in one minute."""

    __slots__ = ("events", "networks", "of_newcomers", "pages", "sessions")

    def __init__(self) -> None:
        self.events = 0
        self.of_newcomers = 0
        self.networks: EventCounts = {}
        self.sessions: EventCounts = {}
        self.pages: EventCounts = {}  # by network


class _Limits(NamedTuple):
    session: int
    network: int
    store: int
    newcomers: int
    pages: int


_NOTHING = _Used()


class Quotas:
    """What the settings allow the pages of each store, by the minute of our clock."""

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        store = settings.beacons_per_minute_store
        self._limits = _Limits(
            settings.beacons_per_minute,
            settings.beacons_per_minute_network,
            store,
            max(1, store // 2),
            settings.configs_per_minute_network,
        )
        self._minute = -1
        self._names = 0
        self._used: dict[UUID, _Used] = {}
        self._before: dict[UUID, _Used] = {}

    def take_beacons(self, store: UUID, network: str, session: str, events: int) -> bool:
        """Whether so many events fit; if so they are used up. What is refused costs nobody anything."""
        used, before, limits = self._of(store), self._before.get(store, _NOTHING), self._limits
        of_network, of_session = used.networks.get(network, 0) + events, used.sessions.get(session, 0) + events
        newcomers = used.of_newcomers + (0 if network in before.networks else events)
        if (
            of_network > limits.network
            or of_session > limits.session
            or used.events + events > limits.store
            or newcomers > limits.newcomers
        ):
            return False
        used.events += events
        used.of_newcomers = newcomers
        self._count(used.networks, before.networks, network, of_network)
        self._count(used.sessions, before.sessions, session, of_session)
        return True

    def take_page(self, store: UUID, network: str) -> bool:
        """The same of a page's configuration, with which it gets a session."""
        used = self._of(store)
        of_network = used.pages.get(network, 0) + 1
        if of_network > self._limits.pages:
            return False
        self._count(used.pages, self._before.get(store, _NOTHING).pages, network, of_network)
        return True

    def _of(self, store: UUID) -> _Used:
        minute = int(self._clock.monotonic() // _MINUTE_SECONDS)
        if minute != self._minute:
            self._before = self._used if minute == self._minute + 1 else {}
            self._minute, self._used, self._names = minute, {}, 0
        used = self._used.get(store)
        if used is None:
            used = self._used[store] = _Used()
        return used

    def _count(self, counts: EventCounts, before: EventCounts, name: str, count: int) -> None:
        if name in counts:
            counts[name] = count
        elif self._names < _MOST_NAMES and len(counts) < (_MOST_OF_A_STORE if name in before else _MOST_NEWCOMERS):
            self._names += 1
            counts[name] = count
