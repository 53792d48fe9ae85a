"""A file of a shop's past, sent through the same topic as the shop's own events, so that it has its effect once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from pydantic import ValidationError

from db.pool import scoped
from schemas.topics import SHOP_EVENTS
from services.customers.events import read as judge
from services.customers.past.csv_file import Bookmark, Line, PastFile, RefusedLines
from services.customers.past.shop_line import BadLine, Events, reader_of
from services.kernel import Invalid, Process, Record, Refusal, Retryable
from services.kernel.clock import Schedule
from services.kernel.errors import describe
from services.kernel.publishing.verdicts import refused_for_good
from services.kernel.sealing.planting import sealer_now
from services.kernel.sealing.sealer import Sealer
from services.kernel.sealing.whose import of_customer

_BATCH = 500  # lines sent together, and remembered once Kafka has them
_PAUSES = Schedule((0.5, 1.0, 2.0, 5.0, 10.0, 20.0))  # then Kafka is really away


@dataclass(frozen=True, slots=True)
class ReadIn:
    """What became of the lines."""

    lines: int
    events: int
    refused: int
    shown: Sequence[str]
    skipped: int  # by an earlier reading
    seconds: float

    @property
    def rate(self) -> float:
        """Lines a second."""
        return self.lines / max(self.seconds, 0.001)


class PastReading:
    """One file for one store."""

    def __init__(self, process: Process, store: UUID, file: PastFile, *, as_of: datetime) -> None:
        self._process = process
        self._store = store
        self._file = file
        self._as_of = as_of
        self._refused: RefusedLines = file.refused()
        self._sealer: Sealer | None = None

    async def run(self, bookmark: Bookmark | None, tell: Callable[[int, int], None]) -> ReadIn:
        """Send everything that was not sent by an earlier reading. Raises Refusal where the file is no such table."""
        try:
            events_of = reader_of(self._file.header)
        except BadLine as why:
            raise Refusal(str(why)) from None
        async with scoped(self._process.pool(), {self._store}) as conn:
            self._sealer = await sealer_now(conn, self._store, self._process.secrets, self._process.clock.now())
        begun = self._process.clock.monotonic()
        done = sent = 0
        skipped = bookmark.lines if bookmark else 0
        waiting: list[Record] = []
        for number, line in enumerate(self._file.lines(), 1):
            if number <= skipped:
                continue
            waiting += self._records(line, events_of)
            done += 1
            if done % _BATCH == 0:
                sent += await self._send(waiting)
                waiting = []
                if bookmark:
                    bookmark.move(number)
                    tell(number, bookmark.total)
        sent += await self._send(waiting)
        if bookmark:
            bookmark.remove()
        seconds = self._process.clock.monotonic() - begun
        return ReadIn(done, sent, self._refused.count, self._refused.shown, skipped, seconds)

    def _records(self, line: Line, events_of: Events) -> list[Record]:
        """Judged here by the rule of the consumer, so that the file's author hears of it, not the dead letters."""
        try:
            if line.fault:
                raise BadLine(line.fault)
            cells = dict(zip(self._file.header, line.cells, strict=True))
            records = [self._record(event) for event in events_of(cells, self._as_of)]
            for record in records:
                judge(record)
        except (BadLine, Invalid, ValidationError) as why:
            self._refused.add(line, str(why) if isinstance(why, BadLine) else describe(why))
            return []
        return [self._sealed(record) for record in records]

    def _sealed(self, record: Record) -> Record:
        """As a door would."""
        if self._sealer is None:
            return record
        data = orjson.loads(record.value)["data"]
        return self._sealer.sealed(record, of_customer(data.get("customer_id"), data.get("email"), data.get("phone")))

    def _record(self, event: dict[str, object]) -> Record:
        data = event["data"]
        assert isinstance(data, dict)
        return Record.accepted(
            SHOP_EVENTS.name,
            key=f"{self._store}:{data.get('customer_id')}".encode(),
            value=orjson.dumps(event),
            store=self._store,
            event=str(event["type"]),
            origin="import",
            received_at=self._process.clock.now(),
        )

    async def _send(self, records: Sequence[Record]) -> int:
        waiting = list(records)
        for pause in (*_PAUSES.seconds, None):
            outcomes = await self._process.publisher.publish_all(waiting)
            each = list(zip(waiting, outcomes, strict=True))
            if broken := next((one for _, one in each if isinstance(one, Exception) and refused_for_good(one)), None):
                raise Refusal(f"Kafka refuses a line for good: {describe(broken)}")
            waiting = [record for record, outcome in each if isinstance(outcome, Exception)]
            if not waiting:
                return len(records)
            if pause is not None:
                await self._process.clock.sleep(pause)
        raise Retryable("Kafka does not take what is sent: see that it runs; the same command goes on where it was")
