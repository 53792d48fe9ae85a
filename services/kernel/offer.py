"""The one transaction of a batch: lock and filter by the ledger, read, apply, set aside, account, commit."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Generic
from uuid import UUID

import orjson

from db import dead_letters, ledger, stores
from db.dead_letters import Letter
from db.ledger import Move, Place
from db.pool import Connection, Pool, set_scope
from services.kernel.bisect import Applied, Apply, E, apply_in_halves, apply_whole, is_bug, refuse_a_broken_release
from services.kernel.errors import Invalid, describe
from services.kernel.record import Record

UNREADABLE, REFUSED, BUG = "unreadable", "refused", "bug"


@dataclass(frozen=True, slots=True)
class Work(Generic[E]):
    """What a group does with a topic."""

    group: str
    topic: str
    read: Callable[[Record], E | None]
    apply: Apply[E]


@dataclass(slots=True)
class Offered:
    """What became of a batch once it was committed."""

    rest: list[Record] = field(default_factory=list)  # not tried: the next transaction's
    odd: list[Record] = field(default_factory=list)  # of partitions whose position must be settled first
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)  # (store, outcome) → records
    dead: Counter[str] = field(default_factory=Counter)  # kind → records


async def offer(pool: Pool, work: Work[E], records: Sequence[Record], *, careful: bool) -> Offered:
    """Apply what is new of these records, exactly once, whoever else was handed them."""
    result = Offered()
    async with pool.acquire(timeout=10) as conn, conn.transaction():
        known = await _set_scope(conn, records)
        places = await ledger.lock(conn, work.group, work.topic, sorted({one.partition for one in records}))
        fresh, redelivered = _sift(records, places, result)
        events, bad = _read(work, fresh, known)
        applied = await (apply_in_halves if careful else apply_whole)(conn, events, work.apply)
        bad |= {one: (BUG if is_bug(error) else REFUSED, describe(error)) for one, error in applied.guilty}
        settled = _before_untried(fresh, applied, result)
        asked = {event.record for event in events}
        moves = _account(settled, redelivered, places, asked=asked, news=applied.news, bad=bad, result=result)
        letters = [_letter(one, places[one.partition], *bad[one]) for one in settled if one in bad]
        if letters:
            await dead_letters.set_aside(conn, work.group, work.topic, letters)
        if moves:
            await ledger.move(conn, work.group, work.topic, moves)
    result.dead.update(letter.kind for letter in letters)
    return result


async def _set_scope(conn: Connection, records: Iterable[Record]) -> set[UUID]:
    """Row security shows this batch's stores and no other; returns those that exist."""
    named = {store for one in records if (store := _store(one.header("store")))}
    await set_scope(conn, named)
    return await stores.known(conn)


@lru_cache(maxsize=4096)
def _store(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None


def _sift(records: Sequence[Record], places: dict[int, Place], result: Offered) -> tuple[list[Record], Counter[int]]:
    """Keep what continues the ledger; below it is redelivered, above it or unknown is odd.

    Records of one fetch stand in the log as they came: where the one before was expected, a gap holds nothing.
    """
    fresh: list[Record] = []
    ahead: list[Record] = []
    redelivered: Counter[int] = Counter()
    expected = {partition: place.next_offset for partition, place in places.items()}
    before: dict[int, int] = {}
    for one in records:
        wanted = expected.get(one.partition)
        if wanted is None or (one.offset > wanted and before.get(one.partition) != wanted - 1):
            ahead.append(one)
            continue
        before[one.partition] = one.offset
        if one.offset < wanted:
            redelivered[one.partition] += 1
        else:
            fresh.append(one)
            expected[one.partition] = one.offset + 1
    stale = redelivered.keys() - {one.partition for one in fresh}
    result.odd = [*ahead, *(one for one in records if one.partition in stale)]
    result.rest = ahead
    return fresh, redelivered


def _read(work: Work[E], fresh: Iterable[Record], known: set[UUID]) -> tuple[list[E], dict[Record, tuple[str, str]]]:
    """Events to apply, and the records that can never be read. A store that is gone is nobody's poison: ignored."""
    events: list[E] = []
    bad: dict[Record, tuple[str, str]] = {}
    bugs: list[Exception] = []
    for one in fresh:
        try:
            event = work.read(one)
            if event is not None and one.store in known:
                events.append(event)
        except (Invalid, ValueError, RecursionError) as error:
            bad[one] = (UNREADABLE, describe(error))
        except Exception as error:
            bugs.append(error)
            bad[one] = (BUG, describe(error))
    refuse_a_broken_release(bugs, any_worked=bool(events))
    return events, bad


def _before_untried(fresh: Sequence[Record], applied: Applied, result: Offered) -> list[Record]:
    """A partition's position cannot pass an event that was not tried: it and all behind it wait."""
    cut: dict[int, int] = {}
    for one in applied.untried:
        cut[one.partition] = min(one.offset, cut.get(one.partition, one.offset))
    settled = [one for one in fresh if one.offset < cut.get(one.partition, one.offset + 1)]
    result.rest += [one for one in fresh if one.offset >= cut.get(one.partition, one.offset + 1)]
    return settled


def _account(
    settled: Sequence[Record],
    redelivered: Counter[int],
    places: dict[int, Place],
    *,
    asked: set[Record],
    news: set[Record],
    bad: dict[Record, tuple[str, str]],
    result: Offered,
) -> list[Move]:
    """Each settled record becomes exactly one of dead, ignored, applied, duplicate."""
    moves: dict[int, Move] = {}
    for partition in {one.partition for one in settled} | set(redelivered):
        moves[partition] = Move(partition, places[partition].next_offset, redelivered=redelivered[partition])
    tallies: dict[int, Counter[str]] = defaultdict(Counter)
    for one in settled:
        outcome = "dead" if one in bad else "ignored" if one not in asked else "applied" if one in news else "duplicate"
        tallies[one.partition][outcome] += 1
        result.outcomes[one.header("store") or "", outcome] += 1
        move = moves[one.partition]
        move.hollow += one.offset - move.next_offset
        move.next_offset = one.offset + 1
        move.anchor_offset = one.offset
    for one in reversed(settled):  # the last real record of each partition is its anchor
        move = moves[one.partition]
        if move.anchor_offset == one.offset:
            move.anchor_id = one.identity
    for partition, tally in tallies.items():
        for outcome, count in tally.items():
            setattr(moves[partition], outcome, count)
    return [moves[partition] for partition in sorted(moves)]


def _letter(one: Record, place: Place, kind: str, reason: str) -> Letter:
    headers = [[_storable(name), _storable(one.header(name) or "")] for name, _ in one.headers]
    return Letter(
        era=place.era,
        partition=one.partition,
        offset=one.offset,
        organization_id=_store(one.header("store")),
        kind=kind,
        reason=_storable(reason),
        key=one.key,
        value=one.value,
        headers=orjson.dumps(headers).decode(),
    )


def _storable(text: str) -> str:
    """What PostgreSQL takes as text: a NUL and half a surrogate pair are shown escaped."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
