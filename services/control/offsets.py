"""`offsets`: where every group stands, and how to go on where a log is another one than it was."""

from dataclasses import dataclass

from db import audit as table
from db import ledger
from db.pool import Pool, Row
from services.control.audit import observe
from services.control.reckoning import Seen, acknowledged_end, began, reckon
from services.control.verdict import Line
from services.kernel.errors import Stop
from services.kernel.installation import database
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


async def show(settings: Settings, *, group: str | None = None, topic: str | None = None) -> list[Line]:
    """Ledger and log side by side, for all groups or some."""
    async with database(settings) as pool:
        seen, _ = await observe(settings, pool)
    return [line for line in reckon(seen) if group in (None, line.group) and topic in (None, line.topic)]


async def plan(
    settings: Settings, *, group: str, topic: str, partition: int | None = None, at: int | None = None
) -> list[Adoption]:
    """What `adopt` would do: to that partition, or to every halted one of the group's topic. Raises Stop."""
    async with database(settings) as pool:
        return await _plan(settings, pool, group=group, topic=topic, partition=partition, at=at)


async def adopt(
    settings: Settings, *, group: str, topic: str, partition: int | None = None, at: int | None = None, reason: str
) -> list[Adoption]:
    """Close the rows into their history and begin new ones. What is repeated then falls to the content keys."""
    async with database(settings) as pool:
        adoptions = await _plan(settings, pool, group=group, topic=topic, partition=partition, at=at)
        seen, _ = await observe(settings, pool)
        async with pool.acquire(timeout=10) as conn, conn.transaction():
            places = await ledger.lock(conn, group, topic, [one.partition for one in adoptions])
            for one in adoptions:
                if places[one.partition].next_offset != one.next_offset:
                    raise Stop(f"partition {one.partition} has moved meanwhile: look at it and decide again")
                for first, next_ in one.given_up:
                    await table.lose(conn, group, topic, one.partition, first=first, next_=next_)
                await ledger.adopt(
                    conn, group, topic, one.partition, cluster_id=seen.cluster.id, offset=one.at, reason=reason
                )
    return adoptions


async def _plan(
    settings: Settings, pool: Pool, *, group: str, topic: str, partition: int | None, at: int | None
) -> list[Adoption]:
    seen, _ = await observe(settings, pool)
    mine = [line for line in reckon(seen) if (line.group, line.topic) == (group, topic) and _in_ledger(seen, line)]
    if not mine:
        raise Stop(f"the ledger has no group {group} on topic {topic}: see `wootstream offsets show`")
    chosen = [line for line in mine if (line.partition == partition if partition is not None else line.halted)]
    if not chosen:
        raise Stop(
            f"{group} has not read partition {partition} of {topic}"
            if partition is not None
            else f"no partition of {topic} is halted for {group}: name one with --partition"
        )
    if at is not None and partition is None:
        raise Stop("--at is a position in one partition: name it with --partition")
    return [_adoption(seen, line, at) for line in chosen]


def _in_ledger(seen: Seen, line: Line) -> bool:
    return any((row["consumer_group"], row["topic"], row["partition"]) == (line.group, line.topic, line.partition)
               for row in seen.ledger)  # fmt: skip


def _adoption(seen: Seen, line: Line, at: int | None) -> Adoption:
    log = seen.cluster.logs.get((line.topic, line.partition))
    if log is None:
        raise Stop(f"Kafka has no partition {line.partition} of {line.topic}: run `wootstream topics` first")
    offset = log.begin if at is None else at
    if not log.begin <= offset <= log.end:
        raise Stop(f"--at {offset} lies outside the log, which holds {log.begin} to {log.end}")
    next_offset = line.next_offset or 0
    given_up = _given_up(seen, line, next_offset=next_offset, offset=offset)
    return Adoption(line.group or "", line.topic, line.partition, next_offset, offset, line.halted, tuple(given_up))


def _given_up(seen: Seen, line: Line, *, next_offset: int, offset: int) -> list[tuple[int, int]]:
    """Of the same log, what is jumped over. Of another log, what the old one is known to have held beyond our position,
    and what of the new one lies before the chosen offset."""
    if not line.halted:
        return [(next_offset, offset)] if offset > next_offset else []
    key = (line.group or "", line.topic, line.partition)
    cluster_id = next(row["cluster_id"] for row in seen.ledger if _key(row) == key)
    held = acknowledged_end(seen, (line.topic, line.partition), cluster_id=cluster_id, after=began(seen, key))
    new_end = (line.end_offset or 0) if cluster_id == seen.cluster.id else 0
    begin = line.begin_offset or 0
    old = [(next_offset, held)] if held > max(next_offset, new_end) else []
    return old + ([(begin, offset)] if offset > begin else [])


def _key(row: Row) -> tuple[str, str, int]:
    return row["consumer_group"], row["topic"], row["partition"]
