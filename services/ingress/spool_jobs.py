"""The way to the spool's thread and back: jobs go in one by one, are done together, and who waits is told."""

import copy
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Literal

from services.ingress.spool_chunks import Chunk, Settled

_TOGETHER = 2_000
Kind = Literal["puts", "settles", "reads"]
Job = tuple[Kind, Any, Any]  # what is to be done with what, and the future of who waits for it


@dataclass(slots=True)
class Group:
    """The jobs of one turn of the thread, by kind, each with the future of who waits for it."""

    puts: list[tuple[bytes, Any]] = field(default_factory=list)
    settles: list[tuple[Sequence[Settled], Any]] = field(default_factory=list)
    reads: list[tuple[tuple[Chunk | None, int], Any]] = field(default_factory=list)
    count: int = 0
    last: bool = False

    def add(self, job: Job | None) -> None:
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


class Jobs:
    """First in, first out; one thread takes them out."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Job | None] = SimpleQueue()

    def add(self, kind: Kind, what: object, future: Any) -> None:
        self._queue.put((kind, what, future))

    def end(self) -> None:
        """After what was added, nothing more."""
        self._queue.put(None)

    def next_group(self, *, wait: bool) -> Group:
        """All jobs that are there; with `wait`, after waiting for the first."""
        group = Group()
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
