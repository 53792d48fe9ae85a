"""The audit as arithmetic: ledger, logs and acknowledgements in, what is missing and what is in flight out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from db.pool import Row
from services.control.ledger.answer import AuditLine
from services.control.ledger.topic_logs import Cluster, Log, RecordPosition, TopicPartition
from services.kernel.consuming.halts import another_record, halt_reason

Key = tuple[str, str, int]  # group, topic, partition
_COUNTS = ("consumed", "applied", "duplicate", "ignored", "dead", "lost", "hollow", "redelivered")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Observation:
    """What was read, in this order: acknowledgements and ledger first, then the logs, then the ledger `later`.

    So a log's end can only be too high for the ledger, and its beginning too low for the later ledger: nothing that
    moves meanwhile looks like a loss.
    """

    ledger: Sequence[Row]
    acknowledged: Sequence[Row]
    closed: Sequence[Row]
    cluster: Cluster
    later: Mapping[Key, int]
    strangers: frozenset[Key]  # another record stands where the ledger's anchor stood
    now: datetime  # by PostgreSQL's clock


def reckon(seen: Observation) -> list[AuditLine]:
    """A line for each group and partition, also for partitions that a group or everybody has yet to see."""
    lines = [_line(seen, row) for row in seen.ledger]
    return sorted([*lines, *_unseen(seen)], key=lambda line: (line.topic, line.partition, line.group or ""))


def next_unread(line: AuditLine) -> RecordPosition | None:
    """Where the oldest record in flight is to be looked for; None where nothing waits for a consumer alone."""
    if not line.in_flight or line.halted or line.next_offset is None or line.begin_offset is None:
        return None
    return (line.topic, line.partition), max(line.next_offset, line.begin_offset)


def with_waits(
    seen: Observation, lines: Sequence[AuditLine], written: Mapping[RecordPosition, datetime]
) -> list[AuditLine]:
    """The lines, with how long the record at `next_unread` has been in the log and its group has not moved."""
    moved = {key(row): row["updated_at"] for row in seen.ledger}
    return [
        replace(line, unread_seconds=int((seen.now - max(at, moved.get(_key(line), at))).total_seconds()))
        if (at := written.get(next_unread(line)))  # type: ignore[arg-type]
        and seen.later.get(_key(line), line.next_offset) == line.next_offset
        else line
        for line in lines
    ]


def _key(line: AuditLine) -> Key:
    return line.group or "", line.topic, line.partition


def key(row: Row) -> Key:
    return row["consumer_group"], row["topic"], row["partition"]


def acknowledged_end(seen: Observation, place: TopicPartition, *, cluster_id: str, after: datetime = _LONG_AGO) -> int:
    """One past the highest offset that an ingress saw acknowledged there since `after`; 0 if none."""
    mine = (
        row
        for row in seen.acknowledged
        if (row["topic"], row["partition"]) == place
        and row["cluster_id"] in (None, cluster_id)  # None: its ingress could not ask
        and row["updated_at"] > after
    )
    return max((row["highest_offset"] + 1 for row in mine), default=0)


def began(seen: Observation, of: Key) -> datetime:
    """When the row's present era began: what was acknowledged before belongs to another log."""
    return max((row["closed_at"] for row in seen.closed if key(row) == of), default=_LONG_AGO)


def _line(seen: Observation, row: Row) -> AuditLine:
    place, next_offset = (row["topic"], row["partition"]), row["next_offset"]
    log = seen.cluster.logs.get(place)
    end = log.end if log else 0
    acknowledged = acknowledged_end(seen, place, cluster_id=seen.cluster.id, after=began(seen, key(row)))
    later = max(next_offset, seen.later.get(key(row), next_offset))
    halted = _halted(seen, row, log)
    return AuditLine(
        group=row["consumer_group"],
        topic=row["topic"],
        partition=row["partition"],
        **{name: row[name] for name in _COUNTS},
        next_offset=next_offset,
        begin_offset=log.begin if log else None,
        end_offset=log.end if log else None,
        in_flight=max(0, log.end - max(next_offset, log.begin)) if log else 0,
        # By the later ledger: what a consumer wrote off meanwhile is among the losses already.
        unreachable=max(0, log.begin - later) if log and not halted else 0,
        truncated=max(0, acknowledged - max(end, next_offset)),
        halted=halted,
    )


def _halted(seen: Observation, row: Row, log: Log | None) -> str | None:
    reason = halt_reason(
        counted_in=row["cluster_id"],
        cluster_id=seen.cluster.id,
        next_offset=row["next_offset"],
        end=log.end if log else None,
    )
    return reason or (another_record(row["anchor_offset"]) if key(row) in seen.strangers else None)


def _unseen(seen: Observation) -> Iterator[AuditLine]:
    groups: dict[str, set[str]] = {}
    for row in seen.ledger:
        groups.setdefault(row["topic"], set()).add(row["consumer_group"])
    known = {key(row) for row in seen.ledger}
    places = set(seen.cluster.logs) | {(row["topic"], row["partition"]) for row in seen.acknowledged}
    for topic, partition in sorted(places):
        wanting: Iterable[str | None] = groups.get(topic, {None})
        for group in wanting:
            if (group, topic, partition) not in known:
                line = _first_sight(seen, group, (topic, partition))
                if line.in_flight or line.truncated:
                    yield line


def _first_sight(seen: Observation, group: str | None, place: TopicPartition) -> AuditLine:
    log = seen.cluster.logs.get(place)
    acknowledged = acknowledged_end(seen, place, cluster_id=seen.cluster.id)
    return AuditLine(
        group=group,
        topic=place[0],
        partition=place[1],
        **dict.fromkeys(_COUNTS, 0),
        next_offset=log.begin if log else None,
        begin_offset=log.begin if log else None,
        end_offset=log.end if log else None,
        in_flight=log.end - log.begin if log else 0,
        unreachable=0,
        truncated=max(0, acknowledged - (log.end if log else 0)),
        halted=None,
    )
