"""The one transaction of a batch: lock and filter by the ledger, read, apply, set aside, count, commit."""

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby
from operator import attrgetter
from typing import Generic
from uuid import UUID

import orjson

from db.pool import Connection, Connections
from db.records import dead_letters, ledger
from db.records.dead_letters import Letter
from db.records.ledger import Entered, LedgerRow, Move
from services.kernel.consuming.bisect import Applied, Apply, E, apply_in_halves
from services.kernel.consuming.suspicion import Suspicion
from services.kernel.errors import Invalid, describe, is_bug
from services.kernel.forgetting.sieve import About
from services.kernel.record import Record, store_of, text_of
from services.kernel.sealing.opening import SealOpener
from services.kernel.telemetry.following import Follower, SettledBatch

UNREADABLE, REFUSED, BUG = "unreadable", "refused", "bug"
_PARTITION = attrgetter("partition")
_STORE_NAME = attrgetter("store_name")
_IS_CLOSED = attrgetter("is_closed")
Runs = Mapping[int, list[Record]]  # by partition, sorted as the ledger's rows are locked
OutcomeCounts = Mapping[tuple[int, str, str], int]  # (partition, the store's name, what became of them) → records


def letter_of(record: Record, row: LedgerRow, kind: str, reason: str) -> Letter:
    """The row of a record that is set aside; nothing in it may be refused in its turn."""
    headers = [[_storable(name), _storable(text_of(value))] for name, value in record.headers]
    key, value = record.as_kept  # sealed, if it came so
    return Letter(
        era=row.era,
        partition=record.partition,
        record_offset=record.offset,
        organization_id=store_of(record.store_name),
        kind=kind,
        reason=_storable(reason),
        record_key=key,
        record_value=value,
        record_headers=orjson.dumps(headers).decode(),
    )


def _storable(text: str) -> str:
    """What PostgreSQL takes as text: a NUL and half a surrogate pair are shown escaped."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True, slots=True)
class Subscription(Generic[E]):
    """What a group does with a topic, and what it lately failed on."""

    group: str
    topic: str
    read: Callable[[Record], E | None]
    apply: Apply[E]
    about: About[E]
    opener: SealOpener
    following: Follower = field(default_factory=Follower)
    suspicion: Suspicion = field(default_factory=Suspicion)


@dataclass(slots=True)
class Offered:
    """What became of a batch once it was committed."""

    rest: list[Record] = field(default_factory=list)  # not tried: the next transaction's
    unsettled: list[Record] = field(default_factory=list)  # of partitions whose position must be settled first
    # Plain hashes: making a Counter costs as much as a step of a small batch.
    outcomes: dict[tuple[str, str], int] = field(default_factory=dict)  # (the store's name, outcome) → records
    dead: Mapping[str, int] = field(default_factory=dict)  # kind → records


class Care(Enum):
    """How events are applied: together; by halves, after a refusal; by halves, after an outage that does not end."""

    WHOLE = "whole"
    HALVES = "halves"
    DOUBT = "doubt"


async def offer(pool: Connections, subscription: Subscription[E], records: Sequence[Record], care: Care) -> Offered:
    """Apply what is new of these records, exactly once, whoever else was handed them."""
    result = Offered()
    # Row security shows this batch's stores and no other.
    stores = {name: store for name in set(map(_STORE_NAME, records)) if (store := store_of(name))}
    is_sealed = any(map(_IS_CLOSED, records))
    readings = _Readings[E]() if is_sealed else _read(subscription, records, stores)
    runs = _by_partition(records)
    expected = _expected(records, runs, readings, is_certain=care is Care.WHOLE and not is_sealed)
    async with pool.acquire(timeout=10) as conn, conn.transaction():
        # Locked until the commit: how far the group is in each partition, and which of the stores are gone or had
        # somebody erased. The offsets beside the effect, in one commit: at no moment is one there without the other.
        entered = await ledger.enter(conn, subscription.group, subscription.topic, expected.moves, set(stores.values()))
        fresh, redelivered = records, dict[int, int]()
        if len(entered.moved) < len(runs):
            fresh, redelivered = _sift(runs, entered.rows, result)
            readings = readings.of(set(fresh))
        if is_sealed:
            there = {name for name, store in stores.items() if store not in entered.gone}
            readings = await _opened_and_read(conn, subscription, fresh, there)
        readings = await _of_those_there(conn, subscription, fresh, readings, entered, stores)
        events, bad, bugs = readings.events, readings.bad, readings.bugs
        if care is Care.WHOLE:  # the usual case: one call, no savepoint
            applied = Applied(set(await subscription.apply(conn, events)), worked=True) if events else Applied()
        else:
            applied = await apply_in_halves(conn, events, subscription.apply, in_doubt=care is Care.DOUBT)
        bad |= {one: (BUG if is_bug(error) else REFUSED, describe(error)) for one, error in applied.guilty}
        bugs += [(one, error) for one, error in applied.guilty if is_bug(error)]
        # Raised in here, Broken takes the whole batch back: nothing of it is set aside.
        subscription.suspicion.weigh(bugs, worked=applied.worked)
        settled = _before_untried(fresh, applied, result)
        letters = [letter_of(one, entered.rows[one.partition], *bad[one]) for one in settled if one in bad]
        if letters:
            await dead_letters.set_aside(conn, subscription.group, subscription.topic, letters)
        asked, counts = expected.asked, expected.counts  # written already, and nearly always true
        if len(entered.moved) < len(runs) or applied.news != asked or len(bad) != expected.bad:
            asked = {event.record for event in events}
            counts = count(settled, asked=asked, news=applied.news, bad=bad)
            begins = {partition: row.next_offset for partition, row in entered.rows.items()}
            last = dict(zip(map(_PARTITION, settled), settled, strict=True))
            if owed := _owed(moves_of(counts, last, redelivered, begins), expected.moves, entered.moved):
                await ledger.move(conn, subscription.group, subscription.topic, owed)
    # Only what was committed counts from here on: an exception above leaves metrics and suspicion as they were.
    subscription.suspicion.note(bugs, worked=applied.worked)
    subscription.following.settled(SettledBatch(subscription.group, settled, asked, applied.news, bad))
    if letters:
        result.dead = Counter(letter.kind for letter in letters)
    for (_, name, outcome), so_many in counts.items():
        result.outcomes[name, outcome] = result.outcomes.get((name, outcome), 0) + so_many
    return result


def _by_partition(records: Sequence[Record]) -> Runs:
    """A fetch may bring partitions in turns; sorting is stable, so each keeps the order of its log."""
    if len(set(map(_PARTITION, records))) == 1:  # a small fetch nearly always
        return {records[0].partition: list(records)}
    return {partition: list(run) for partition, run in groupby(sorted(records, key=_PARTITION), _PARTITION)}


@dataclass(frozen=True, slots=True)
class _Expected:
    """What a batch comes to where the ledger stands at its beginning and all that is asked is news: nearly always."""

    asked: set[Record]
    bad: int
    counts: OutcomeCounts
    moves: list[Move]  # sorted, as they are locked


def _expected(records: Sequence[Record], runs: Runs, readings: "_Readings[E]", *, is_certain: bool) -> _Expected:
    """So the lock and the move are one statement. No move is known beforehand where events may be left untried, or
    nothing is read yet."""
    asked = {event.record for event in readings.events}
    all_asked = len(asked) == len(records) and not readings.bad
    counts = _all_applied(runs) if all_asked else count(records, asked=asked, news=asked, bad=readings.bad)
    begins = {partition: run[0].offset for partition, run in runs.items()}
    if is_certain:
        moves = moves_of(counts, {partition: run[-1] for partition, run in runs.items()}, {}, begins)
    else:
        moves = [Move(partition, begin) for partition, begin in begins.items()]
    return _Expected(asked, len(readings.bad), counts, moves)


def _owed(moves: Iterable[Move], expected: Iterable[Move], made: Collection[int]) -> list[Move]:
    """What is still to be written: the whole move where it was not made, what it counted otherwise where it was."""
    done = {one.partition: one for one in expected if one.partition in made}
    owed = [one.beyond(done[one.partition]) if one.partition in done else one for one in moves]
    return [one for one in owed if one.counts]


def _sift(runs: Runs, rows: Mapping[int, LedgerRow], result: Offered) -> tuple[list[Record], dict[int, int]]:
    """Keep what continues the ledger; below it is redelivered, above it or unknown is unsettled."""
    fresh: list[Record] = []
    redelivered: dict[int, int] = {}
    for partition, run in runs.items():
        wanted = rows[partition].next_offset if partition in rows else -1
        news = [one for one in run if one.offset >= wanted]
        # Records of one fetch stand in the log as they came: a gap after one that we had or wanted holds nothing.
        if wanted == -1 or run[0].offset > wanted:
            result.rest += run
            result.unsettled += run
            continue
        fresh += news
        if len(news) < len(run):
            redelivered[partition] = len(run) - len(news)
        if not news:
            result.unsettled += run
    return fresh, redelivered


@dataclass(slots=True)
class _Readings(Generic[E]):
    """Events to apply, the records that can never be read, and which of those our own code failed on."""

    events: list[E] = field(default_factory=list)
    bad: dict[Record, tuple[str, str]] = field(default_factory=dict)  # kind and reason
    bugs: list[tuple[Record, Exception]] = field(default_factory=list)

    def of(self, records: Container[Record]) -> "_Readings[E]":
        """What concerns these records alone."""
        return _Readings(
            [event for event in self.events if event.record in records],
            {one: why for one, why in self.bad.items() if one in records},
            [(one, error) for one, error in self.bugs if one in records],
        )


def _read(subscription: Subscription[E], records: Iterable[Record], stores: Container[str]) -> _Readings[E]:
    """Nearly always before the transaction, so that nobody waits for a lock meanwhile. `stores` are the names of those
    that are, as far as it is known; one that is gone is nobody's poison: ignored."""
    readings = _Readings[E]()
    read, events, bad, bugs = subscription.read, readings.events, readings.bad, readings.bugs
    for record in records:
        try:
            event = read(record)
            if event is None:
                continue
            if record.store_name in stores:
                events.append(event)
            else:
                _ = record.store  # a header that names none is invalid; a store that is named is gone
        except (Invalid, ValueError, RecursionError) as error:
            bad[record] = (UNREADABLE, describe(error))
        except MemoryError:  # the machine's fault, not the record's: again, later
            raise
        except Exception as error:
            bugs.append((record, error))
            bad[record] = (BUG, describe(error))
    return readings


async def _opened_and_read(
    conn: Connection, subscription: Subscription[E], fresh: Sequence[Record], there: Container[str]
) -> _Readings[E]:
    """In the transaction, which shows the keys of these stores; whose store is gone stays closed."""
    unopened = await subscription.opener.open(conn, fresh, there)
    readings = _read(subscription, [one for one in fresh if one not in unopened], there)
    readings.bad |= {one: (UNREADABLE, why) for one, why in unopened.bad.items()}
    return readings


async def _of_those_there(
    conn: Connection,
    subscription: Subscription[E],
    fresh: Sequence[Record],
    readings: _Readings[E],
    entered: Entered,
    stores: Mapping[str, UUID],
) -> _Readings[E]:
    """What is left where a store is gone or had somebody erased. The rest is ignored, nobody's poison."""
    if entered.gone:
        readings.events = [event for event in readings.events if event.record.store not in entered.gone]
    if entered.erased_whole:  # nor what cannot be read: set aside, it would bring the store back
        whole = {name for name, store in stores.items() if store in entered.erased_whole}
        readings = readings.of({one for one in fresh if one.store_name not in whole})
    if entered.erased:  # ignored from here on, also what would be set aside
        latest = {name: entered.erased[store] for name, store in stores.items() if store in entered.erased}
        if forgotten := await subscription.about.those_erased(conn, latest, readings.events, readings.bad):
            readings = readings.of(set(fresh) - forgotten)
    return readings


def _before_untried(fresh: Sequence[Record], applied: Applied, result: Offered) -> Sequence[Record]:
    """A partition's position cannot pass an event that was not tried: it and all behind it wait."""
    if not applied.untried:
        return fresh
    cut: dict[int, int] = {}
    for one in applied.untried:
        cut[one.partition] = min(one.offset, cut.get(one.partition, one.offset))
    settled = [one for one in fresh if one.offset < cut.get(one.partition, one.offset + 1)]
    result.rest += [one for one in fresh if one.offset >= cut.get(one.partition, one.offset + 1)]
    return settled


def _all_applied(runs: Runs) -> OutcomeCounts:
    """As below, where nothing is bad, ignored or a duplicate: nearly always, and ten times as fast."""
    counts: dict[tuple[int, str, str], int] = {}
    for partition, run in runs.items():
        names = set(map(_STORE_NAME, run))
        by_store = {name: len(run) for name in names} if len(names) == 1 else Counter(map(_STORE_NAME, run))
        counts |= {(partition, name, "applied"): records for name, records in by_store.items()}
    return counts


def count(
    settled: Sequence[Record], *, asked: Collection[Record], news: Collection[Record], bad: Collection[Record]
) -> OutcomeCounts:
    """Bad ones are dead; what nobody asked for is ignored; what was asked and is no news is a duplicate."""
    return Counter(
        (
            one.partition,
            one.store_name,
            "dead" if one in bad else "ignored" if one not in asked else "applied" if one in news else "duplicate",
        )
        for one in settled
    )


def moves_of(
    counts: OutcomeCounts, last: Mapping[int, Record], redelivered: Mapping[int, int], begins: Mapping[int, int]
) -> list[Move]:
    """What to write into the ledger, from where its rows stand up to each partition's last record; sorted as they are
    locked."""
    by_partition: dict[int, dict[str, int]] = {partition: {} for partition in sorted(last.keys() | redelivered.keys())}
    for (partition, _, outcome), records in counts.items():
        outcomes = by_partition[partition]
        outcomes[outcome] = outcomes.get(outcome, 0) + records
    return [
        _move(one, begins[one], last.get(one), of_it, redelivered.get(one, 0)) for one, of_it in by_partition.items()
    ]


def _move(partition: int, begin: int, last: Record | None, outcomes: Mapping[str, int], redelivered: int) -> Move:
    """On to behind the last record; an offset on the way that is no record's is hollow."""
    if last is None:
        return Move(partition, begin, redelivered=redelivered)
    reached = last.offset + 1
    hollow = reached - begin - sum(outcomes.values())
    return Move(
        partition,
        reached,
        anchor_offset=last.offset,
        anchor_id=last.identity,
        hollow=hollow,
        redelivered=redelivered,
        from_offset=begin,
        **outcomes,
    )
