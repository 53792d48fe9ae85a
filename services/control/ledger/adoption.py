"""What taking a log as it is now means for a ledger row: the new place, and what is given up for good."""

from dataclasses import dataclass

from db.pool import Row
from db.records import ledger
from services.control.ledger.answer import AuditLine
from services.control.ledger.audit import observe
from services.control.ledger.reckoning import Observation, acknowledged_end, began, key, reckon
from services.control.ledger.topic_logs import Log
from services.kernel.actor import note
from services.kernel.cli.environment import database
from services.kernel.errors import Refusal, Stop
from services.kernel.settings import Settings


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
    seen: Observation, *, group: str, topic: str, partition: int | None = None, at: int | None = None
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


def _adoption(seen: Observation, row: Row, line: AuditLine, at: int | None) -> Adoption:
    log = seen.cluster.logs.get((line.topic, line.partition))
    if log is None:
        raise Stop(f"Kafka has no partition {line.partition} of {line.topic}: run `wootstream topics` first")
    offset = log.begin if at is None else at
    if not log.begin <= offset <= log.end:
        raise Refusal(f"--at {offset} lies outside the log, which holds {log.begin} to {log.end}")
    given_up = tuple(part for part in _given_up(seen, row, line, log, offset) if part[1] > part[0])
    return Adoption(*key(row), next_offset=row["next_offset"], at=offset, halted=line.halted, given_up=given_up)


def _given_up(seen: Observation, row: Row, line: AuditLine, log: Log, offset: int) -> list[tuple[int, int]]:
    """What the old log is known to have held and we never read, and what lies before the new place in the present one.

    A log that was cut may hold what we read before: what cannot be told counts as given up.
    """
    next_offset = row["next_offset"]
    held = acknowledged_end(
        seen, (line.topic, line.partition), cluster_id=row["cluster_id"], after=began(seen, key(row))
    )
    # What lies below the present log's end is judged by the second range; another cluster's end says nothing.
    reached = max(next_offset, log.end) if row["cluster_id"] == seen.cluster.id else next_offset
    return [(reached, held), (log.begin if line.halted else next_offset, offset)]


async def show(settings: Settings, *, group: str | None = None, topic: str | None = None) -> list[AuditLine]:
    """Ledger and log side by side, for all groups or some."""
    async with database(settings) as pool:
        seen, _ = await observe(settings, pool)
    return [line for line in reckon(seen) if group in (None, line.group) and topic in (None, line.topic)]


async def plan(
    settings: Settings, *, group: str, topic: str, partition: int | None = None, at: int | None = None
) -> list[Adoption]:
    """What `adopt` would do: to that partition, or to every halted one of the group's topic. Raises Refusal."""
    async with database(settings) as pool:
        seen, _ = await observe(settings, pool)
    return planned(seen, group=group, topic=topic, partition=partition, at=at)


async def adopt(
    settings: Settings, *, group: str, topic: str, partition: int | None = None, at: int | None = None, reason: str
) -> list[Adoption]:
    """Close the rows into their history and begin new ones. What is repeated then falls to the content keys."""
    async with database(settings) as pool:
        seen, _ = await observe(settings, pool)
        adoptions = planned(seen, group=group, topic=topic, partition=partition, at=at)
        async with pool.acquire(timeout=10) as conn, conn.transaction():
            # Planned without a lock, so look again under it: a consumer may have moved the row since.
            places = await ledger.lock(conn, group, topic, [one.partition for one in adoptions])
            for one in adoptions:
                if places[one.partition].next_offset != one.next_offset:
                    raise Refusal(f"partition {one.partition} has moved meanwhile: look at it and decide again")
                for first, next_ in one.given_up:
                    await ledger.lose(conn, group, topic, one.partition, first=first, next_=next_)
                await note(
                    conn, "offsets adopt", store=None, thing=f"{group} {topic}/{one.partition} at {one.at}: {reason}"
                )
                await ledger.adopt(
                    conn, group, topic, one.partition, cluster_id=seen.cluster.id, offset=one.at, reason=reason
                )
    return adoptions
