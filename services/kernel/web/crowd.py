"""All connections of a server: each in one room, every room with a deadline; bounded in number, also of one address."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from services.kernel.settings import Settings
from services.kernel.telemetry.metrics import Metrics

_KEEP_ALIVE_SECONDS = 75.0  # longer than the 60 s for which proxies keep theirs, so that they end them, not we
_CROWDED_KEEP_ALIVE_SECONDS = 5.0
# How long what is left of a body may flow after its request was answered.
_REST_SECONDS = 5.0
# No answer takes so long: every door has a shorter deadline of its own. Also: nobody reads an answer slower.
_ANSWER_SECONDS = 60.0
_CLOSING_SECONDS = 5.0  # for what was written to flow out to a slow reader; all of it is one short answer


@dataclass(frozen=True)
class ConnectionLimits:
    """What the settings say of connections."""

    connections: int
    per_address: int
    head_seconds: float
    body_seconds: float
    proxy_hops: int

    @classmethod
    def of(cls, settings: Settings) -> "ConnectionLimits":
        return cls(
            connections=settings.http_connections,
            per_address=settings.http_connections_per_address,
            head_seconds=settings.head_seconds,
            body_seconds=settings.body_seconds,
            proxy_hops=settings.proxy_hops,
        )


class Loop(Protocol):
    """What is needed of asyncio's."""

    def time(self) -> float: ...
    def call_at(self, when: float, callback: Callable[[], None], /) -> asyncio.TimerHandle: ...
    def call_later(self, delay: float, callback: Callable[[], None], /) -> asyncio.TimerHandle: ...
    def create_task(self, coro: Coroutine[Any, Any, None], /) -> asyncio.Task[None]: ...


class CrowdMember(Protocol):
    """A connection as the crowd sees it."""

    room: "Room"
    address: str

    def late(self) -> None:
        """Its time in its room is over: it goes to another room, or leaves."""

    def evict(self) -> None:
        """Another one takes its place."""


class Room:
    """A state, and the connections in it with the moment when they entered, the longest first."""

    __slots__ = ("name", "seconds", "since")

    def __init__(self, name: str, seconds: float) -> None:
        self.name = name
        self.seconds = seconds
        self.since: dict[CrowdMember, float] = {}

    def longest(self, address: str | None) -> CrowdMember | None:
        """Who has been in it the longest, of this address if one is given."""
        return next((member for member in self.since if address is None or member.address == address), None)


class Crowd:
    """The rooms of a server. One timer serves them all: in a room everybody may stay equally long."""

    def __init__(self, limits: ConnectionLimits, metrics: Metrics, loop: Loop) -> None:
        self.limits = limits
        self.metrics = metrics
        self.loop = loop
        self.idle = Room("idle", _KEEP_ALIVE_SECONDS)
        self.head = Room("head", limits.head_seconds)
        self.body = Room("body", limits.body_seconds)
        self.answering = Room("answering", _ANSWER_SECONDS)
        self.rest = Room("rest", _REST_SECONDS)
        self.closing = Room("closing", _CLOSING_SECONDS)
        self._rooms = (self.idle, self.head, self.body, self.answering, self.rest, self.closing)
        # Who makes place for a new one, in this order: never one whose request is being answered. Of those who have
        # nothing to say the longest silent, so that a flood of new ones that stay silent costs nobody who speaks.
        self._yielding = ((self.closing,), (self.idle, self.head), (self.rest,), (self.body,))
        self._count = 0
        self._of_address = Counter[str]()
        self._requests = Counter[str]()
        self._due = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def admit(self, member: CrowdMember) -> bool:
        """Whether it may stay, for which another may have had to go."""
        many = self._of_address[member.address] >= self.limits.per_address and not self.limits.proxy_hops
        if many and not self._make_room(member.address):
            return False
        if self._count >= self.limits.connections and not self._make_room():
            return False
        self._count += 1
        self._of_address[member.address] += 1
        member.room = self.head
        self._note(member)
        self._judge_crowding()
        return True

    def enter(self, member: CrowdMember, room: Room) -> None:
        """It goes to another room."""
        if member.room.since.pop(member, None) is not None:  # else it has left
            member.room = room
            self._note(member)

    def leave(self, member: CrowdMember) -> None:
        """It is no longer there. Twice is once."""
        if member.room.since.pop(member, None) is None:
            return
        self._count -= 1
        _less(self._of_address, member.address)
        self._judge_crowding()

    def asks(self, address: str) -> bool:
        """Whether one more request of this forwarded address may be answered; `answered` gives its place back."""
        if self._requests[address] >= self.limits.per_address:
            return False
        self._requests[address] += 1
        return True

    def answered(self, address: str) -> None:
        _less(self._requests, address)

    def _note(self, member: CrowdMember) -> None:
        room = member.room
        now = self.loop.time()
        room.since[member] = now
        if now + room.seconds < self._due:
            self._wake_at(now + room.seconds)

    def _wake_at(self, due: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._due, self._timer = due, self.loop.call_at(due, self._look)

    def _look(self) -> None:
        """Tell those whose time is over, and look again when the next one's is."""
        self._due, self._timer, now = math.inf, None, self.loop.time()
        for room in self._rooms:
            for member, since in list(_until(room, now)):
                if member.room is room and room.since.get(member) == since:
                    member.late()
        first = [since + room.seconds for room in self._rooms for since in _first(room)]
        if first and min(first) < self._due:
            self._wake_at(min(first))

    def _make_room(self, address: str | None = None) -> bool:
        """Close the longest silent one, where an address is given of its own; whoever has many finds his own soon."""
        limit = "crowd" if address is None else "address"
        for rooms in self._yielding:
            longest = [found for room in rooms if (found := room.longest(address))]
            if longest:
                member = min(longest, key=lambda one: one.room.since[one])
                self.metrics.http_cut.labels(f"{limit}_{member.room.name}").inc()
                member.evict()
                return True
        self.metrics.http_cut.labels(f"{limit}_refused").inc()
        return False

    def _judge_crowding(self) -> None:
        """Above half of what there may be, idle ones are kept for a short time only."""
        seconds = _CROWDED_KEEP_ALIVE_SECONDS if self._count * 2 > self.limits.connections else _KEEP_ALIVE_SECONDS
        if seconds == self.idle.seconds:
            return
        self.idle.seconds = seconds
        for since in _first(self.idle):
            if since + seconds < self._due:
                self._wake_at(since + seconds)


def _until(room: Room, now: float) -> Iterable[tuple[CrowdMember, float]]:
    for member, since in room.since.items():
        if since + room.seconds > now:
            return
        yield member, since


def _first(room: Room) -> list[float]:
    return [next(iter(room.since.values()))] if room.since else []


def _less(counts: Counter[str], name: str) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]
