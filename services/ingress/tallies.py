"""What Kafka acknowledged to one life of one process, by partition, as rows that are still to be written.

A row belongs to one life of one process in one log, and holds absolute numbers, so writing it twice changes nothing.
An offset that does not grow says that the log is another one or was cut: then a new row begins and the old one stays,
as the witness of what had been acknowledged.
"""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import uuid_utils

from services.kernel import Clock


@dataclass(slots=True)
class Tally:
    """A row: how many records were acknowledged, up to which offset, and how many of them the table has."""

    instance: str
    topic: str
    partition: int
    accepted: int
    highest: int
    at: datetime
    cluster: str | None = None
    written: int = 0


class Tallies:
    """The rows that grow, and those that have ended but are not yet written."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._life = f"{socket.gethostname()}:{os.getpid()}:{uuid_utils.uuid7()}"
        self._lives = 0
        self._growing: dict[tuple[str, int], Tally] = {}
        self._ended: list[Tally] = []

    def all(self) -> list[Tally]:
        return [*self._ended, *self._growing.values()]

    def note(self, topic: str, partition: int, offset: int, count: int) -> None:
        """Kafka has so many records more, up to this offset. Called in the order of a partition's acknowledgements."""
        tally = self._growing.get((topic, partition))
        if tally is None or offset <= tally.highest:
            tally = self._begin(topic, partition)
        tally.accepted += count
        tally.highest = offset
        tally.at = self._clock.now()

    def belong_to(self, cluster: str) -> None:
        """Name the nameless; what grew in another cluster has ended."""
        for tally in self.all():
            if tally.cluster is None:
                tally.cluster = cluster
            elif tally.cluster != cluster and self._growing.get((tally.topic, tally.partition)) is tally:
                self._ended.append(self._growing.pop((tally.topic, tally.partition)))

    def wrote(self, rows: Sequence[tuple[Tally, int]]) -> None:
        """The table has so many records of each; what has ended and is there whole is forgotten."""
        for tally, accepted in rows:
            tally.written = accepted
        self._ended = [one for one in self._ended if one.written != one.accepted]

    def begin_anew(self) -> None:
        """Leave every row as the table has it, and go on in new ones."""
        for tally in self.all():
            tally.instance = self._another_life()
            tally.accepted -= tally.written
            tally.written = 0

    def _begin(self, topic: str, partition: int) -> Tally:
        before = self._growing.get((topic, partition))
        if before is not None:
            self._ended.append(before)
        instance = self._another_life() if before else self._life
        tally = Tally(instance, topic, partition, accepted=0, highest=-1, at=self._clock.now())
        self._growing[topic, partition] = tally
        return tally

    def _another_life(self) -> str:
        self._lives += 1
        return f"{self._life}/{self._lives}"
