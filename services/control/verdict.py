"""What the audit answers: a line for each group and partition, the losses, and whether all is accounted for."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

_PATIENCE_SECONDS = 60  # a batch may be that long in hand; a consumer that is there moves sooner


@dataclass(frozen=True, slots=True)
class Line:
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


@dataclass(frozen=True, slots=True)
class Audit:
    """What the installation can show about every record that was accepted."""

    lines: Sequence[Line]
    losses: Sequence[Loss]

    @property
    def missing(self) -> int:
        gone = sum(one.next_offset - one.first_offset for one in self.losses)
        return gone + sum(line.unreachable + line.truncated for line in self.lines)

    @property
    def in_flight(self) -> int:
        return sum(line.in_flight for line in self.lines)

    @property
    def halted(self) -> list[Line]:
        return [line for line in self.lines if line.halted]

    @property
    def unread(self) -> list[Line]:
        """Where records wait and nobody consumes."""
        return [line for line in self.lines if line.unread_seconds > _PATIENCE_SECONDS]

    @property
    def clean(self) -> bool:
        return not self.missing and not self.halted and not self.unread

    def as_json(self) -> dict[str, Any]:
        return {
            "missing": self.missing,
            "in_flight": self.in_flight,
            "clean": self.clean,
            "topics": [asdict(line) for line in self.lines],
            "losses": [asdict(loss) for loss in self.losses],
        }
