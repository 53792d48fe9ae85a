"""What the audit answers: a line for each group and partition, the losses, and whether all is accounted for."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

_PATIENCE_SECONDS = 60  # a batch may be that long in hand; a consumer that is there moves sooner


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One group in one partition. `group` is None where nobody has read yet what the log holds."""

    group: str | None
    topic: str
    partition: int
    consumed: int
    applied: int
    duplicate: int
    ignored: int
    dead: int
    lost: int
    hollow: int
    redelivered: int
    next_offset: int | None
    begin_offset: int | None
    end_offset: int | None
    in_flight: int  # in the log, not yet read
    unreachable: int  # gone from the log's beginning before the group read it, and not yet noticed by a consumer
    truncated: int  # acknowledged at the door, beyond the log's end, not read before
    halted: str | None  # why the group stands still until a person says how to go on
    unread_seconds: int = 0  # how long the oldest record in flight has waited while the group did not move at all


@dataclass(frozen=True, slots=True)
class Loss:
    """A range that a group never read and never will."""

    group: str
    topic: str
    partition: int
    first_offset: int
    next_offset: int
    noticed_at: datetime


class _Range(NamedTuple):
    """Offsets of one partition that one group lacks."""

    place: tuple[str, int]
    group: str | None
    first: int
    next_: int


@dataclass(frozen=True, slots=True)
class UndeliveredFile:
    """Accepted records that Kafka refuses for good, or that are damaged, on the disk of an ingress."""

    host: str
    directory: str
    file: str
    topic: str  # empty: damaged
    reason: str
    records: int
    oldest_at: datetime
    noticed_at: datetime


@dataclass(frozen=True, slots=True)
class SpooledFile:
    """Accepted records that wait for Kafka on the disk of an ingress, as that ingress last told."""

    host: str
    directory: str
    file: str
    records: int
    oldest_at: datetime
    oldest_seconds: int
    still_seconds: int  # for how long nothing of it was drained
    told_seconds: int  # since when no ingress has said anything of it

    @property
    def undrained(self) -> bool:
        """Whether nobody brings it to Kafka."""
        return self.still_seconds > _PATIENCE_SECONDS

    @property
    def abandoned(self) -> bool:
        """Whether its ingress has ended, or cannot say anything."""
        return self.told_seconds > _PATIENCE_SECONDS


@dataclass(frozen=True, slots=True)
class Audit:
    """What the installation can show about every record that was accepted."""

    lines: Sequence[AuditLine]
    losses: Sequence[Loss]
    undelivered: Sequence[UndeliveredFile] = ()
    spooled: Sequence[SpooledFile] = ()

    @property
    def missing(self) -> int:
        """Records that some group will never read, each once however many groups miss it."""
        losses = [
            _Range((loss.topic, loss.partition), loss.group, loss.first_offset, loss.next_offset)
            for loss in self.losses
        ]
        return _records([*losses, *(one for line in self.lines for one in _missing(line))])

    @property
    def in_flight(self) -> int:
        """Records that some group has yet to read, each once."""
        return _records(one for line in self.lines for one in _in_flight(line))

    @property
    def halted(self) -> list[AuditLine]:
        return [line for line in self.lines if line.halted]

    @property
    def unread(self) -> list[AuditLine]:
        """Where records wait and nobody consumes."""
        return [line for line in self.lines if line.unread_seconds > _PATIENCE_SECONDS]

    @property
    def not_delivered(self) -> int:
        return sum(one.records for one in self.undelivered)

    @property
    def in_spools(self) -> int:
        """Records that were accepted and are on their way to Kafka."""
        return sum(one.records for one in self.spooled)

    @property
    def under_way(self) -> int:
        """Records that were accepted and that some group has yet to read, wherever they are."""
        return self.in_spools + self.in_flight

    @property
    def undrained(self) -> list[SpooledFile]:
        """Where records wait and nobody brings them to Kafka."""
        return [one for one in self.spooled if one.undrained]

    @property
    def clean(self) -> bool:
        return not (self.missing or self.halted or self.unread or self.undelivered or self.undrained)

    def as_json(self) -> dict[str, Any]:
        return {
            "missing": self.missing,
            "in_flight": self.in_flight,
            "not_delivered": self.not_delivered,
            "in_spools": self.in_spools,
            "clean": self.clean,
            "topics": [asdict(line) for line in self.lines],
            "losses": [asdict(loss) for loss in self.losses],
            "undelivered": [asdict(one) for one in self.undelivered],
            "spooled": [asdict(one) for one in self.spooled],
        }


def _missing(line: AuditLine) -> Iterator[_Range]:
    place, begin = (line.topic, line.partition), line.begin_offset or 0
    yield _Range(place, line.group, begin - line.unreachable, begin)
    # A record that a group has read was there, whatever the log's end says now.
    end = max(line.end_offset or 0, line.next_offset or 0)
    yield _Range(place, line.group, end, end + line.truncated)


def _in_flight(line: AuditLine) -> Iterator[_Range]:
    end = line.end_offset or 0
    yield _Range((line.topic, line.partition), line.group, end - line.in_flight, end)


def _records(ranges: Iterable[_Range]) -> int:
    """How many records lie in these ranges. An offset that one group lacks twice stood in two logs of that name."""
    edges: dict[tuple[str, int], list[tuple[int, int, str | None]]] = defaultdict(list)
    for one in ranges:
        edges[one.place] += [(one.first, 1, one.group), (one.next_, -1, one.group)]
    total = 0
    for of_place in edges.values():
        lacking: Counter[str | None] = Counter()
        before = 0
        for offset, change, group in sorted(of_place, key=lambda edge: edge[0]):
            total += (offset - before) * max(lacking.values(), default=0)
            lacking[group] += change
            before = offset
    return total
