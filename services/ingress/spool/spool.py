"""The spool: takes records while Kafka is away, in a thread of its own, where all that wait share one fsync."""

import asyncio
import copy
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import structlog

from services.ingress.spool.codec import frame
from services.ingress.spool.level import FillLevel, StoreShares
from services.ingress.spool.shelf import Chunk, ChunkOutcome, Full, Shelf
from services.kernel import Clock, Record

_READ_BYTES = 8 * 1024**2
# A disk that hangs: what waits for it is bounded, and nobody waits for it who comes after so long.
_HELD_BYTES = 64 * 1024**2
_SILENT_SECONDS = 4.0
_CLOSE_SECONDS = 4.0
_SILENT = "the disk does not answer"
_SHARE = "this store has as much of the spool as it leaves free for the others"
_TOGETHER = 2_000  # in one turn: who came first is not to wait for the whole of a burst
log = structlog.get_logger()


class PutJob(NamedTuple):
    """Write this record's frame; `future` is who waits for it, as in every job."""

    record: Record
    frame: bytes
    future: asyncio.Future[Any]


class SettleJob(NamedTuple):
    """Forget what Kafka has."""

    outcomes: Sequence[ChunkOutcome]
    future: asyncio.Future[Any]


class ReadJob(NamedTuple):
    """Bring about so many records that wait behind this chunk."""

    after: Chunk | None
    records: int
    future: asyncio.Future[Any]


SpoolJob = PutJob | SettleJob | ReadJob


@dataclass(slots=True)
class JobGroup:
    """The jobs of one turn of the thread, by kind."""

    puts: list[PutJob] = field(default_factory=list)
    settles: list[SettleJob] = field(default_factory=list)
    reads: list[ReadJob] = field(default_factory=list)
    last: bool = False

    @property
    def count(self) -> int:
        return len(self.puts) + len(self.settles) + len(self.reads)

    def add(self, job: SpoolJob | None) -> None:
        match job:
            case PutJob():
                self.puts.append(job)
            case SettleJob():
                self.settles.append(job)
            case ReadJob():
                self.reads.append(job)
            case None:
                self.last = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result or an error, and the futures that wait for it."""

    futures: Sequence[Any]
    result: Any = None
    error: Exception | None = None


class JobQueue:
    """First in, first out; one thread takes them out."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[SpoolJob | None] = SimpleQueue()

    def add(self, job: SpoolJob) -> None:
        self._queue.put(job)

    def end(self) -> None:
        """After what was added, nothing more."""
        self._queue.put(None)

    def next_group(self, *, wait: bool) -> JobGroup:
        """All jobs that are there; with `wait`, after waiting for the first."""
        group = JobGroup()
        with suppress(Empty):
            group.add(self._queue.get(block=wait))
            for _ in range(_TOGETHER - 1):
                if group.last:
                    break
                group.add(self._queue.get_nowait())
        return group


def attempt(futures: Sequence[Any], work: Callable[..., Any], *arguments: object) -> Outcome:
    """The thread outlives every error: whoever waits is told."""
    try:
        return Outcome(futures, result=work(*arguments))
    except Exception as error:
        return Outcome(futures, error=error)


def resolve(outcomes: Sequence[Outcome]) -> None:
    """In the event loop: tell those who still wait, each an error of its own, for tracebacks grow."""
    for outcome in outcomes:
        for future in outcome.futures:
            if future.done():
                continue
            if outcome.error is None:
                future.set_result(outcome.result)
            else:
                future.set_exception(copy.copy(outcome.error))


class Spool:
    """What is put in is on the disk when `put` returns, and comes out of `read` in the same order until settled."""

    def __init__(self, shelf: Shelf, level: FillLevel, clock: Clock) -> None:
        self.level = level
        self._shelf = shelf
        self._clock = clock
        self._jobs = JobQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        # daemon: a disk that hangs cannot keep the process from ending.
        self._thread = threading.Thread(target=self._work, name="spool", daemon=True)
        self._closed = False
        self._stores: Callable[[], int] = lambda: 1
        self._shares = StoreShares()  # of what this process has put in and Kafka has not taken
        # Of what was put in and is neither on the disk nor given up by the thread.
        self._held_bytes, self._held_shares = 0, StoreShares()
        self._busy_since: float | None = None  # since when the thread has been at one turn

    @property
    def records(self) -> int:
        """How many waited after the thread's last turn."""
        return self.level.records

    def share_between(self, stores: Callable[[], int]) -> None:
        """Among so many; one alone has all of it."""
        self._stores = stores

    async def put(self, record: Record, seconds: float) -> None:
        """Return once the record is on the disk. Raises Full, after so many seconds at the latest."""
        framed = frame(record)
        if self._is_silent or self._held_bytes + len(framed) > _HELD_BYTES:
            raise Full(_SILENT)
        if self._stores() > 1 and not self._has_its_share(record):
            raise Full(_SHARE)
        try:
            async with asyncio.timeout(seconds):
                putting = PutJob(record, framed, self._future())
                self._jobs.add(putting)
                self._held_bytes += len(framed)
                self._held_shares.add(record)
                self._shares.add(record)
                await putting.future
        except TimeoutError as late:
            raise Full(_SILENT) from late

    def _has_its_share(self, record: Record) -> bool:
        if not self._held_shares.fits(record, _HELD_BYTES - self._held_bytes):
            return False
        # Compressed, and with what dead processes have left: of the counted bytes so much lies on the disk.
        all_bytes = self._shares.all_bytes
        shrunk_to = min(1.0, self.level.used_bytes / all_bytes) if all_bytes else 1.0
        return self._shares.fits(record, self.level.room_bytes - self._held_bytes, shrunk_to=shrunk_to)

    def fault(self) -> str | None:
        """Why nothing more can be put in; None while there is room on a disk that answers."""
        return f"the spool takes no more ({_SILENT})" if self._is_silent else self.level.fault()

    @property
    def _is_silent(self) -> bool:
        since = self._busy_since
        return since is not None and self._clock.monotonic() - since > _SILENT_SECONDS

    def read(self, after: Chunk | None, records: int) -> "asyncio.Future[list[Chunk]]":
        """The next chunks after this one, in the order of acceptance; empty: nothing waits. Raises sqlite3.Error.

        It sees every record whose `put` was called before it.
        """
        reading = ReadJob(after, records, self._future())
        self._jobs.add(reading)
        return reading.future

    def settle(self, settled: Sequence[ChunkOutcome]) -> "asyncio.Future[None]":
        """Forget what Kafka has. Raises sqlite3.Error: then it will be read, and published, again.

        A `read` that is called later sees it done.
        """
        settling = SettleJob(settled, self._future())
        self._jobs.add(settling)
        for one in settled:
            if self._shelf.is_own(one.chunk):
                for record in one.taken:
                    self._shares.remove(record)
        return settling.future

    async def look(self) -> bool:
        """See what the disk gives, which others fill as well: who learns it from a refusal learns it too late."""
        with suppress(Full):  # the process is stopping
            await self.settle(())
        return False

    async def close(self) -> None:
        """Finish what was handed in, then give the files up."""
        self._closed = True
        if self._thread.is_alive():
            self._jobs.end()
            await asyncio.to_thread(self._thread.join, _CLOSE_SECONDS)
        if self._thread.is_alive():  # it ends with the process; what was promised lies on the disk
            log.error("spool_disk_does_not_answer")
            return
        self._shelf.close()

    def _future(self) -> "asyncio.Future[Any]":
        """Of who waits for a job. The thread starts with the first. Raises Full when no more jobs are taken."""
        if self._closed:
            raise Full("the process is stopping")
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._thread.start()
        return self._loop.create_future()

    def _work(self) -> None:
        slack, group = False, JobGroup()
        while not group.last:
            group = self._jobs.next_group(wait=not slack)
            self._busy_since = self._clock.monotonic()
            outcomes = [*self._settle(group), *self._put(group), *self._read(group)]
            slack = self._look_after(group, slack=slack)
            self._busy_since = None
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._resolve, outcomes, group.puts)

    def _resolve(self, outcomes: Sequence[Outcome], puts: Sequence[PutJob]) -> None:
        kept = {future for one in outcomes if one.error is None for future in one.futures}
        for one in puts:
            self._held_bytes -= len(one.frame)
            self._held_shares.remove(one.record)
            if one.future not in kept:
                self._shares.remove(one.record)
        resolve(outcomes)

    def _settle(self, group: JobGroup) -> list[Outcome]:
        return [attempt([one.future], self._shelf.settle, one.outcomes) for one in group.settles]

    def _put(self, group: JobGroup) -> list[Outcome]:
        # Who has gone was answered that it is not kept.
        puts = [one for one in group.puts if not one.future.done()]
        if not puts:
            return []
        _, frames, futures = zip(*puts, strict=True)
        outcome = attempt(futures, self._shelf.write, self._clock.now().timestamp(), frames)
        if isinstance(outcome.error, Full):
            self.level.no_room(str(outcome.error), len(frames))
        return [outcome]

    def _read(self, group: JobGroup) -> list[Outcome]:
        return [
            attempt([one.future], partial(self._shelf.read, one.after, records=one.records, limit_bytes=_READ_BYTES))
            for one in group.reads
            if not one.future.done()
        ]

    def _look_after(self, group: JobGroup, *, slack: bool) -> bool:
        """Measure, or in an idle moment after a drain give room back to the disk; True while there is more to give."""
        try:
            if group.count:
                self.level.measure()
                return slack or (bool(group.settles) and self.records == 0)
            return slack and self._shelf.shrink()
        except (sqlite3.Error, OSError) as error:  # what is kept is kept; who puts in next is told
            log.warning("spool_disk_is_unwell", error=str(error))
            return False
