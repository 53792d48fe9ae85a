"""A process that consumes, to be killed: `python -m tests.chaos.consuming SINK TOPIC [SERVICE ...]`.

Beside the services it writes every record of the topic into a sink table without any key, as a group of the same name:
a record that is applied twice is a row twice there, whatever the content keys of the services absorb.
"""

import hashlib
import importlib
import os
import sys
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import NamedTuple
from uuid import UUID

import uvloop

from db.pool import Connection
from schemas.topics import Topic
from services.kernel import Process, Record, Settings, consume
from services.kernel.run import run
from services.kernel.telemetry.logs import configure_logs, quiet_client_logs

_KEEP = """
insert into wootstream.{sink} (partition, record_offset, digest, writer)
select *, $4 from unnest($1::int[], $2::bigint[], $3::text[])
"""


class Kept(NamedTuple):
    """Every record is an event here."""

    record: Record


def digest(store: UUID, value: bytes) -> str:
    """What a record says to whom, whenever and however often it was sent."""
    return hashlib.sha256(store.bytes + value).hexdigest()


async def keep(sink: str, conn: Connection, events: Sequence[Kept]) -> Collection[Record]:
    records = [event.record for event in events]
    await conn.execute(
        _KEEP.format(sink=sink),
        [one.partition for one in records],
        [one.offset for one in records],
        [digest(one.store, one.value) for one in records],
        os.getpid(),
    )
    return set(records)


def adding(service: str) -> Callable[[Process], None]:
    """How this service adds itself; none but those asked for are imported, for that is most of a start."""
    add_to: Callable[[Process], None] = importlib.import_module(f"services.{service}.app").add_to
    return add_to


def add_sink(sink: str, topic: str) -> Callable[[Process], None]:
    def add_to(process: Process) -> None:
        consume(process, Topic(topic, kept_days=1), group=sink, read=Kept, apply=partial(keep, sink))

    return add_to


if __name__ == "__main__":
    configure_logs("info", "json")
    quiet_client_logs()
    _, sink, topic, *names = sys.argv
    sys.exit(uvloop.run(run(Settings(), [add_sink(sink, topic), *map(adding, names)])))
