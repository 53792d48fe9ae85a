"""The spool: takes records while Kafka is away, in a thread of its own, where all that wait share one fsync."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import structlog

from services.ingress.spool_frames import frame
from services.ingress.spool_metrics import SpoolMetrics
from services.ingress.spool_shelf import Chunk, Full, Settled, Shelf
from services.kernel import Clock, Record

_GROUP = 2_000  # jobs that share a transaction
_READ_BYTES = 8 * 1024**2
_ROOM_BYTES = 512 * 1024
_ALERT_AT, _CALM_AT = 0.8, 0.7
log = structlog.get_logger()


@dataclass(slots=True)
class _Group:
    """The jobs of one turn of the thread, by kind, each with the future of who waits for it."""

    puts: list[tuple[bytes, Any]] = field(default_factory=list)
    settles: list[tuple[Sequence[Settled], Any]] = field(default_factory=list)
    reads: list[tuple[tuple[Chunk | None, int], Any]] = field(default_factory=list)
    last: bool = False


@dataclass(frozen=True, slots=True)
class _Outcome:
    futures: Sequence[Any]
    result: Any = None
    error: Exception | None = None


class Spool:
    """What is put in is on the disk when `put` returns, and comes out of `read` in the same order until settled."""

    def __init__(self, shelf: Shelf, metrics: SpoolMetrics, clock: Clock) -> None:
        self._shelf = shelf
        self._metrics = metrics
        self._clock = clock
        self._jobs: SimpleQueue[tuple[str, Any, Any] | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._work, name="spool", daemon=True)
        self._closed = False
        self._refusing = ""  # why the last put found no room
        self._alerted = False
        self._used_bytes = 0
        self.records = shelf.records
        metrics.unreadable.set(shelf.unreadable)
        self._tell()

    async def put(self, record: Record) -> None:
        """Return once the record is on the disk. Raises Full."""
        if self._closed:
            raise Full("the process is stopping")
        await self._ask("puts", frame(record))

    def read(self, after: Chunk | None, records: int) -> "asyncio.Future[list[Chunk]]":
        """The next chunks after this one, in the order of acceptance; empty: nothing waits. Raises sqlite3.Error.

        It sees every record whose `put` was called before it.
        """
        return self._ask("reads", (after, records))

    async def settle(self, settled: Sequence[Settled]) -> None:
        """Forget what Kafka has. Raises sqlite3.Error: then it will be read, and published, again."""
        await self._ask("settles", settled)

    async def close(self) -> None:
        """Finish what was handed in, then give the files up."""
        self._closed = True
        if self._thread.is_alive():
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
        self._shelf.close()

    def fault(self) -> str | None:
        """Why nothing more can be put in, looked at anew; None while there is room."""
        free, left = self._shelf.free_bytes, self._shelf.cap_bytes - self._used_bytes
        if min(free, left) > _ROOM_BYTES:
            self._refusing = ""
        return f"the spool takes no more ({self._refusing})" if self._refusing else None

    def _ask(self, kind: str, what: object) -> "asyncio.Future[Any]":
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._thread.start()
        future = self._loop.create_future()
        self._jobs.put((kind, what, future))
        return future

    def _work(self) -> None:
        slack, group = False, _Group()
        while not group.last:
            try:
                group = self._next_group(wait=not slack)
            except Empty:
                slack = self._shrink()
                continue
            outcomes = [*self._settle(group), *self._put(group), *self._read(group)]
            self._tell()
            if self._loop is not None:
                self._loop.call_soon_threadsafe(_resolve, outcomes)
            slack = bool(group.settles) and self.records == 0

    def _next_group(self, *, wait: bool) -> _Group:
        """All jobs that wait, after waiting for one. Raises Empty when told not to."""
        group = _Group()
        job = self._jobs.get(block=wait)
        for count in range(1, _GROUP + 1):
            if job is None:
                group.last = True
                break
            kind, what, future = job
            getattr(group, kind).append((what, future))
            if count == _GROUP or self._jobs.empty():
                break
            job = self._jobs.get()
        return group

    def _settle(self, group: _Group) -> list[_Outcome]:
        return [_attempt([future], self._shelf.settle, settled) for settled, future in group.settles]

    def _put(self, group: _Group) -> list[_Outcome]:
        if not group.puts:
            return []
        frames, futures = zip(*group.puts, strict=True)
        outcome = _attempt(futures, self._shelf.write, self._clock.now().timestamp(), frames)
        if isinstance(outcome.error, Full):
            self._refusing = str(outcome.error)
            self._metrics.no_room.inc(len(frames))
        return [outcome]

    def _read(self, group: _Group) -> list[_Outcome]:
        return [
            _attempt([future], partial(self._shelf.read, after, records=records, limit_bytes=_READ_BYTES))
            for (after, records), future in group.reads
        ]

    def _shrink(self) -> bool:
        try:
            return self._shelf.shrink()
        except sqlite3.Error as error:  # the freed pages stay in the file, to be used again
            log.warning("spool_cannot_shrink", error=str(error))
            return False

    def _tell(self) -> None:
        self.records = self._shelf.records
        self._used_bytes = used = self._shelf.used_bytes
        limit = min(self._shelf.cap_bytes, used + self._shelf.free_bytes)
        self._metrics.records.set(self.records)
        self._metrics.oldest.set(self._shelf.oldest_at or 0)
        self._metrics.bytes.set(used)
        self._metrics.limit.set(limit)
        self._metrics.refused.set(self._shelf.refused)
        if used >= _ALERT_AT * limit and not self._alerted:
            self._alerted = True
            log.error("spool_fills", used_bytes=used, limit_bytes=limit, records=self.records)
        elif used < _CALM_AT * limit:
            self._alerted = False


def _attempt(futures: Sequence[Any], work: Callable[..., Any], *arguments: object) -> _Outcome:
    """The thread outlives every error: whoever waits is told."""
    try:
        return _Outcome(futures, result=work(*arguments))
    except Exception as error:
        return _Outcome(futures, error=error)


def _resolve(outcomes: Sequence[_Outcome]) -> None:
    for outcome in outcomes:
        for future in outcome.futures:
            if future.done():  # who waited has gone
                continue
            if outcome.error is None:
                future.set_result(outcome.result)
            else:
                future.set_exception(outcome.error)
