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
from typing import Any, Literal

import structlog

from services.ingress.spool.codec import frame
from services.ingress.spool.level import FillLevel
from services.ingress.spool.shelf import Chunk, ChunkOutcome, Full, Shelf
from services.kernel import Clock, Record

_READ_BYTES = 8 * 1024**2
# A disk that hangs: what waits for it is bounded, and nobody waits for it who comes after so long.
_HELD_BYTES = 64 * 1024**2
_SILENT_SECONDS = 4.0
_CLOSE_SECONDS = 4.0
_SILENT = "the disk does not answer"
log = structlog.get_logger()
_TOGETHER = 2_000
JobKind = Literal["puts", "settles", "reads"]
SpoolJob = tuple[JobKind, Any, Any]  # what is to be done with what, and the future of who waits for it


@dataclass(slots=True)
class JobGroup:
    """The jobs of one turn of the thread, by kind, each with the future of who waits for it."""

    puts: list[tuple[bytes, Any]] = field(default_factory=list)
    settles: list[tuple[Sequence[ChunkOutcome], Any]] = field(default_factory=list)
    reads: list[tuple[tuple[Chunk | None, int], Any]] = field(default_factory=list)
    count: int = 0
    last: bool = False

    def add(self, job: SpoolJob | None) -> None:
        if job is None:
            self.last = True
            return
        self.count += 1
        getattr(self, job[0]).append(job[1:])


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

    def add(self, kind: JobKind, what: object, future: Any) -> None:
        self._queue.put((kind, what, future))

    def end(self) -> None:
        """After what was added, nothing more."""
        self._queue.put(None)

    def next_group(self, *, wait: bool) -> JobGroup:
        """All jobs that are there; with `wait`, after waiting for the first."""
        group = JobGroup()
        with suppress(Empty):
            group.add(self._queue.get(block=wait))
            while not group.last and group.count < _TOGETHER:
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
        self._thread = threading.Thread(target=self._work, name="spool", daemon=True)
        self._closed = False
        self._held_bytes = 0  # of what was put in and is neither on the disk nor given up by the thread
        self._busy_since: float | None = None  # since when the thread has been at one turn

    @property
    def records(self) -> int:
        """How many waited after the thread's last turn."""
        return self.level.records

    async def put(self, record: Record, seconds: float) -> None:
        """Return once the record is on the disk. Raises Full, after so many seconds at the latest."""
        framed = frame(record)
        if self._is_silent or self._held_bytes + len(framed) > _HELD_BYTES:
            raise Full(_SILENT)
        try:
            async with asyncio.timeout(seconds):
                putting = self._ask("puts", framed)
                self._held_bytes += len(framed)
                await putting
        except TimeoutError as late:
            raise Full(_SILENT) from late

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
        return self._ask("reads", (after, records))

    def settle(self, settled: Sequence[ChunkOutcome]) -> "asyncio.Future[None]":
        """Forget what Kafka has. Raises sqlite3.Error: then it will be read, and published, again.

        A `read` that is called later sees it done.
        """
        return self._ask("settles", settled)

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

    def _ask(self, kind: JobKind, what: object) -> "asyncio.Future[Any]":
        if self._closed:
            raise Full("the process is stopping")
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._thread.start()
        future = self._loop.create_future()
        self._jobs.add(kind, what, future)
        return future

    def _work(self) -> None:
        slack, group = False, JobGroup()
        while not group.last:
            group = self._jobs.next_group(wait=not slack)
            self._busy_since = self._clock.monotonic()
            outcomes = [*self._settle(group), *self._put(group), *self._read(group)]
            slack = self._look_after(group, slack=slack)
            self._busy_since = None
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._resolve, outcomes, sum(len(one) for one, _ in group.puts))

    def _resolve(self, outcomes: Sequence[Outcome], put_bytes: int) -> None:
        self._held_bytes -= put_bytes
        resolve(outcomes)

    def _settle(self, group: JobGroup) -> list[Outcome]:
        return [attempt([future], self._shelf.settle, settled) for settled, future in group.settles]

    def _put(self, group: JobGroup) -> list[Outcome]:
        puts = [
            (one, future) for one, future in group.puts if not future.done()
        ]  # who has gone was told that it is not kept
        if not puts:
            return []
        frames, futures = zip(*puts, strict=True)
        outcome = attempt(futures, self._shelf.write, self._clock.now().timestamp(), frames)
        if isinstance(outcome.error, Full):
            self.level.no_room(str(outcome.error), len(frames))
        return [outcome]

    def _read(self, group: JobGroup) -> list[Outcome]:
        return [
            attempt([future], partial(self._shelf.read, after, records=records, limit_bytes=_READ_BYTES))
            for (after, records), future in group.reads
            if not future.done()
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
