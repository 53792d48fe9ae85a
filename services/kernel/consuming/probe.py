"""The probe: settles positions by comparing the ledger with the log itself, outside the batch's transaction."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from db.records import ledger
from db.records.ledger import LedgerRow
from services.kernel.consuming.halts import another_record, halt_reason
from services.kernel.kafka.log_reader import Reader
from services.kernel.process import Process
from services.kernel.record import Record


@dataclass(frozen=True, slots=True)
class Settlement:
    """What to do with a partition: go on, after a seek if there is one, or halt for a reason a person must settle."""

    seek: int | None = None
    halt: str | None = None
    how: str | None = None


@dataclass(frozen=True, slots=True)
class Here:
    """Where a consumer stands: `position` is fetched next, unless records from `in_hand` up to it are still held."""

    position: int
    in_hand: int | None = None

    @property
    def start(self) -> int:
        """Where to fetch again when what is in hand is given back."""
        return self.position if self.in_hand is None else self.in_hand

    def relative_to(self, row: LedgerRow) -> int:
        """The offset that would be applied next: the ledger's own when the records in hand reach it."""
        if self.in_hand is not None and self.position >= row.next_offset:
            return max(self.in_hand, row.next_offset)
        return self.position


class Probe:
    """What each position against the ledger and the log needs, for one group on one topic."""

    def __init__(self, process: Process, group: str, topic: str, reader: Reader) -> None:
        self._process = process
        self._group = group
        self._topic = topic
        self._reader = reader

    async def settle(self, here: Mapping[int, Here]) -> dict[int, Settlement]:
        """Settle these partitions. Raises what `verdict` knows when Kafka or PostgreSQL is away."""
        bounds = await self._reader.bounds(here)
        ends = {partition: end for partition, (_, end) in bounds.items()}
        rows = await self._rows({partition: begin for partition, (begin, _) in bounds.items()})
        settled = await self._refuse_another_log(rows, bounds)
        ahead: dict[int, int] = {}
        for partition in here.keys() - settled.keys():
            row, at = rows[partition], here[partition].relative_to(rows[partition])
            begin = bounds[partition][0]
            # What is held is not lost, even if the log lost it meanwhile.
            kept_from = begin if here[partition].in_hand is None else min(begin, at)
            if kept_from > row.next_offset:
                settled[partition] = await self._skip(row, lost=kept_from - row.next_offset, at=at)
            elif at > row.next_offset:
                ahead[partition] = at
            else:
                behind = at < row.next_offset
                settled[partition] = Settlement(seek=row.next_offset, how="seek-forward") if behind else Settlement()
        return settled | await self._settle_ahead(ahead, rows, ends)

    async def _settle_ahead(
        self, ahead: Mapping[int, int], rows: Mapping[int, LedgerRow], ends: Mapping[int, int]
    ) -> dict[int, Settlement]:
        """A consumer beyond the ledger: either somebody skipped records, or nothing stands in between."""
        found = await self._reader.first({one: rows[one].next_offset for one in ahead}, ends)
        settled: dict[int, Settlement] = {}
        for partition, at in ahead.items():
            row, there = rows[partition], found[partition]
            reached = min(at, ends[partition] if there is None else there.offset)
            if reached == row.next_offset:
                settled[partition] = Settlement(seek=reached, how="seek-back")
            else:
                settled[partition] = await self._skip(row, hollow=reached - row.next_offset, at=at)
        return settled

    async def rows(self, partitions: Collection[int]) -> dict[int, LedgerRow]:
        """The ledger's rows, as far as there are any."""
        async with self._process.pool().acquire(timeout=10) as conn:
            return await ledger.look(conn, self._group, self._topic, partitions)

    async def _rows(self, begins: Mapping[int, int]) -> dict[int, LedgerRow]:
        """The ledger's rows; at first sight one is made, counting from where the log begins."""
        found = await self.rows(begins)
        # Several processes may begin a row at once: the first one's stands, and all of them read that one.
        if new := begins.keys() - found.keys():
            first = {one: begins[one] for one in new}
            async with self._process.pool().acquire(timeout=10) as conn:
                await ledger.begin(conn, self._group, self._topic, first, cluster_id=self._process.consumers.cluster_id)
            found |= await self.rows(new)
        return found

    async def _refuse_another_log(
        self, rows: Mapping[int, LedgerRow], bounds: Mapping[int, tuple[int, int]]
    ) -> dict[int, Settlement]:
        """Partitions whose log is not the one that the ledger counted."""
        reasons: dict[int, str] = {}
        anchors: dict[int, int] = {}
        for partition, row in rows.items():
            begin, end = bounds[partition]
            cluster_id = self._process.consumers.cluster_id
            if reason := halt_reason(
                counted_in=row.cluster_id, cluster_id=cluster_id, next_offset=row.next_offset, end=end
            ):
                reasons[partition] = reason
            elif row.anchor_offset is not None and row.anchor_offset >= begin:
                anchors[partition] = row.anchor_offset
        found = await self._reader.first(anchors, {one: bounds[one][1] for one in anchors})
        for partition, offset in anchors.items():
            there = found[partition]
            anchor_id = rows[partition].anchor_id
            if there is None or there.offset != offset or Record.consumed(there).identity != anchor_id:
                reasons[partition] = another_record(offset)
        return {one: Settlement(halt=f"{reason}; {self._cure(one)}", how="halted") for one, reason in reasons.items()}

    def _cure(self, partition: int) -> str:
        where = f"--group {self._group} --topic {self._topic} --partition {partition}"
        return f"see `wootstream offsets show`, then `wootstream offsets adopt {where}`"

    async def _skip(self, row: LedgerRow, *, at: int, lost: int = 0, hollow: int = 0) -> Settlement:
        """Count offsets without a record for us; go on from what is in hand or fetched next, if that follows."""
        async with self._process.pool().acquire(timeout=10) as conn, conn.transaction():
            # False where the row has moved since it was read: then nothing was skipped, and nothing is counted twice.
            if await ledger.skip(conn, self._group, self._topic, row, lost=lost, hollow=hollow) and lost:
                self._process.metrics.lost.labels(self._group, self._topic).inc(lost)
        reached = row.next_offset + lost + hollow
        return Settlement(seek=None if reached == at else reached, how="lost" if lost else "hollow")
