"""A bench for the acceptance: a topic of one test, senders that note what they were promised, what the topic has."""

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition

from schemas.topics import Topic
from services.ingress.acceptance import Acceptance
from services.ingress.app import acceptance_of
from services.kernel import Process, Record, Settings
from services.kernel.kafka import client
from services.kernel.kafka.topics import ensure_topics

_SILENCE_MS = 500
_PAUSE_SECONDS = 0.02


@dataclass
class Bench:
    """One topic and one data directory; processes come and go."""

    settings: Settings
    topic: Topic
    store: uuid.UUID = field(default_factory=uuid.uuid4)
    kept: list[str] = field(default_factory=list)  # ids of what `keep` returned for
    _numbers: Any = field(default_factory=itertools.count)

    def record(self, key: str = "k", *, value: bytes = b"{}") -> Record:
        return Record.accepted(
            self.topic.name,
            key=key.encode(),
            value=value,
            store=self.store,
            event="message_created",
            origin="webhook",
            received_at=datetime.now(UTC),
            extra=(("n", b"%d" % next(self._numbers)),),
        )

    @asynccontextmanager
    async def accepting(self, **changes: object) -> AsyncIterator[tuple[Process, Acceptance]]:
        """A process whose only service accepts; told to stop, as by SIGTERM, at the end."""
        process = Process(self.settings.model_copy(update=changes))
        acceptance = acceptance_of(process)
        serving = asyncio.create_task(process.serve())
        try:
            yield process, acceptance
        finally:
            process.stopping.set()
            assert await serving == 0

    async def keep(self, acceptance: Acceptance, key: str = "k", *, value: bytes = b"{}") -> None:
        record = self.record(key, value=value)
        await acceptance.keep(record, time.monotonic() + self.settings.answer_seconds)
        self.kept.append(record.id or "")

    async def keep_all(self, acceptance: Acceptance, values: Iterable[bytes]) -> None:
        for value in values:
            await self.keep(acceptance, value=value)

    async def send(self, acceptance: Acceptance, until: asyncio.Event, *, keys: int = 16) -> None:
        """Senders, one a key, each with its next record when the last was kept."""

        async def sender(key: str) -> None:
            while not until.is_set():
                await self.keep(acceptance, key, value=b'{"content": "%s"}' % uuid.uuid4().hex.encode() * 20)
                await asyncio.sleep(_PAUSE_SECONDS)

        await asyncio.gather(*(sender(f"key-{number}") for number in range(keys)))

    async def stored(self) -> list[Record]:
        """Everything that the topic holds, partition by partition in the order of offsets."""
        places = [TopicPartition(self.topic.name, number) for number in range(self.topic.partitions)]
        consumer = client.consumer(self.settings, auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.assign(places)
            found: list[Record] = []
            ends = await consumer.end_offsets(places)
            while len(found) < sum(ends.values()):
                fetched = await consumer.getmany(timeout_ms=_SILENCE_MS)
                found += [Record.consumed(one) for some in fetched.values() for one in some]
            return sorted(found, key=lambda one: (one.partition, one.offset))
        finally:
            await consumer.stop()


@asynccontextmanager
async def open_bench(
    kafka: Mapping[str, str], database_url: str, directory: Path, **changes: str
) -> AsyncIterator[Bench]:
    given = {"database_url": database_url, "http_port": 0, "data_directory": directory, "log_format": "console"}
    settings = Settings.model_validate(given | dict(kafka))
    bench = Bench(settings, Topic(f"spool.{uuid.uuid4().hex[:10]}", 1, partitions=4, extra=changes))
    await ensure_topics(settings, [bench.topic])
    yield bench


def spooling(process: Process) -> bool:
    """Whether the spool comes first."""
    value = process.registry.get_sample_value("wootstream_spooling")
    assert value is not None
    return value == 1


def in_order(records: Sequence[Record]) -> bool:
    """Whether each key's records were first stored in the order in which its sender was promised them."""
    last: dict[bytes | None, int] = {}
    seen: set[str | None] = set()
    for record in records:
        if record.id not in seen:
            seen.add(record.id)
            number = int(record.header("n") or "")
            if number < last.get(record.key, -1):
                return False
            last[record.key] = number
    return True
