"""What became of a batch: each settled record becomes exactly one of dead, ignored, applied, duplicate."""

from collections import Counter
from collections.abc import Container, Mapping, Sequence

from db.records.ledger import LedgerRow, Move
from services.kernel.record import Record

OutcomeCounts = Counter[tuple[int, str, str]]  # (partition, the store's name, what became of them) → records


def count(
    settled: Sequence[Record], *, asked: Container[Record], news: Container[Record], bad: Container[Record]
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
    counts: OutcomeCounts, settled: Sequence[Record], redelivered: Mapping[int, int], rows: Mapping[int, LedgerRow]
) -> list[Move]:
    """What to write into the ledger, sorted as it was locked."""
    last = {one.partition: one for one in settled}
    by_partition: dict[int, dict[str, int]] = {partition: {} for partition in sorted(last.keys() | redelivered.keys())}
    for (partition, _, outcome), records in counts.items():
        outcomes = by_partition[partition]
        outcomes[outcome] = outcomes.get(outcome, 0) + records
    return [_move(rows[one], last.get(one), of_it, redelivered.get(one, 0)) for one, of_it in by_partition.items()]


def _move(row: LedgerRow, last: Record | None, outcomes: Mapping[str, int], redelivered: int) -> Move:
    """On to behind the last record; an offset on the way that is no record's is hollow."""
    if last is None:
        return Move(row.partition, row.next_offset, redelivered=redelivered)
    reached = last.offset + 1
    hollow = reached - row.next_offset - sum(outcomes.values())
    return Move(row.partition, reached, last.offset, last.identity, hollow=hollow, redelivered=redelivered, **outcomes)
