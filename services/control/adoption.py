"""What taking a log as it is now means for a ledger row: the new place, and what is given up for good."""

from dataclasses import dataclass

from db.pool import Row
from services.control.positions import Log
from services.control.reckoning import Seen, acknowledged_end, began, key, reckon
from services.control.verdict import Line
from services.kernel.errors import Refusal, Stop


@dataclass(frozen=True, slots=True)
class Adoption:
    """What adopting one ledger row would do or did: the old position, the new one, and what is given up for good."""

    group: str
    topic: str
    partition: int
    next_offset: int
    at: int
    halted: str | None
    given_up: tuple[tuple[int, int], ...]

    @property
    def records_given_up(self) -> int:
        return sum(next_ - first for first, next_ in self.given_up)


def planned(
    seen: Seen, *, group: str, topic: str, partition: int | None = None, at: int | None = None
) -> list[Adoption]:
    """The adoption of that partition, or of every halted one of the group's topic. Raises Refusal."""
    if at is not None and partition is None:
        raise Refusal("--at is a position in one partition: name it with --partition")
    rows = {row["partition"]: row for row in seen.ledger if (row["consumer_group"], row["topic"]) == (group, topic)}
    if not rows:
        raise Refusal(f"the ledger has no group {group} on topic {topic}: see `wootstream offsets show`")
    lines = [line for line in reckon(seen) if (line.group, line.topic) == (group, topic) and line.partition in rows]
    if partition is not None and partition not in rows:
        raise Refusal(f"{group} has not read partition {partition} of {topic}")
    chosen = [line for line in lines if line.partition == partition or (partition is None and line.halted)]
    if not chosen:
        raise Refusal(f"no partition of {topic} is halted for {group}: name one with --partition")
    return [_adoption(seen, rows[line.partition], line, at) for line in chosen]


def _adoption(seen: Seen, row: Row, line: Line, at: int | None) -> Adoption:
    log = seen.cluster.logs.get((line.topic, line.partition))
    if log is None:
        raise Stop(f"Kafka has no partition {line.partition} of {line.topic}: run `wootstream topics` first")
    offset = log.begin if at is None else at
    if not log.begin <= offset <= log.end:
        raise Refusal(f"--at {offset} lies outside the log, which holds {log.begin} to {log.end}")
    given_up = tuple(part for part in _given_up(seen, row, line, log, offset) if part[1] > part[0])
    return Adoption(*key(row), next_offset=row["next_offset"], at=offset, halted=line.halted, given_up=given_up)


def _given_up(seen: Seen, row: Row, line: Line, log: Log, offset: int) -> list[tuple[int, int]]:
    """What the old log is known to have held and we never read, and what lies before the new place in the present one.

    A log that was cut may hold what we read before: what cannot be told counts as given up.
    """
    next_offset = row["next_offset"]
    held = acknowledged_end(
        seen, (line.topic, line.partition), cluster_id=row["cluster_id"], after=began(seen, key(row))
    )
    reached = max(next_offset, log.end) if row["cluster_id"] == seen.cluster.id else next_offset
    return [(reached, held), (log.begin if line.halted else next_offset, offset)]
