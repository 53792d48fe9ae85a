"""What the logs themselves say: where each begins and ends, and which record stands where."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from aiokafka.errors import KafkaError

from services.kernel.errors import Retryable, Stop, describe
from services.kernel.kafka.log_reader import Reader
from services.kernel.kafka.topics import Admin, partitions_of
from services.kernel.record import Record
from services.kernel.settings import Settings

_DEADLINE_SECONDS = 20.0  # for all topics together: a person waits for it

TopicPartition = tuple[str, int]  # topic and partition
RecordPosition = tuple[TopicPartition, int]  # and offset


@dataclass(frozen=True, slots=True)
class Log:
    """Offsets `begin` up to, not including, `end`."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """Which cluster it is, and every log of the topics asked for; a topic that is absent has none."""

    id: str
    logs: Mapping[TopicPartition, Log]


async def look(settings: Settings, topics: Collection[str]) -> Cluster:
    """Ask Kafka. Raises Stop when it does not answer."""
    logs: dict[TopicPartition, Log] = {}
    async with _answering(settings):
        async with Admin(settings) as admin:
            cluster_id = str((await admin.describe_cluster())["cluster_id"])
            # Asking for offsets of an absent topic hangs, so existence comes first.
            there = await partitions_of(admin, topics)
        for topic, partitions in there.items():
            async with _reading(settings, topic) as reader:
                bounds = await reader.bounds(partitions)
            logs |= {(topic, partition): Log(*ends) for partition, ends in bounds.items()}
    return Cluster(cluster_id, logs)


async def first_records(
    settings: Settings, wanted: Collection[RecordPosition], cluster: Cluster
) -> dict[RecordPosition, Record | None]:
    """The first record at or after each place and offset, None where only emptiness follows up to the log's end.

    What lies outside the log is left out. Raises Stop when Kafka does not answer, or retention took one meanwhile.
    """
    found = await _first_raw(settings, wanted, cluster)
    return {at: Record.consumed(raw) if raw else None for at, raw in found.items()}


async def first_written(
    settings: Settings, wanted: Collection[RecordPosition], cluster: Cluster
) -> dict[RecordPosition, datetime]:
    """When the first record at or after each place and offset came into the log, where there is one."""
    found = await _first_raw(settings, wanted, cluster)
    return {at: datetime.fromtimestamp(raw.timestamp / 1000, UTC) for at, raw in found.items() if raw}


async def _first_raw(
    settings: Settings, wanted: Collection[RecordPosition], cluster: Cluster
) -> dict[RecordPosition, Any]:
    within = sorted((place, offset) for place, offset in wanted if _within(cluster.logs.get(place), offset))
    found: dict[RecordPosition, Any] = {}
    async with _answering(settings):
        for topic, of_topic in groupby(within, lambda at: at[0][0]):
            async with _reading(settings, topic) as reader:
                found |= await _first(reader, of_topic, cluster)
    return found


def _within(log: Log | None, offset: int) -> bool:
    return log is not None and log.begin <= offset < log.end


async def _first(reader: Reader, wanted: Iterable[RecordPosition], cluster: Cluster) -> dict[RecordPosition, Any]:
    """One offset of each partition at a time, in their order."""
    found: dict[RecordPosition, Any] = {}
    waiting = {place: deque(offset for _, offset in some) for place, some in groupby(wanted, itemgetter(0))}
    while one_each := {place: offsets.popleft() for place, offsets in waiting.items() if offsets}:
        offsets = {partition: offset for (_, partition), offset in one_each.items()}
        ends = {partition: cluster.logs[topic, partition].end for topic, partition in one_each}
        records = await reader.first(offsets, ends)
        for place, offset in one_each.items():
            found[place, offset] = records[place[1]]
    return found


@asynccontextmanager
async def _reading(settings: Settings, topic: str) -> AsyncIterator[Reader]:
    reader = Reader(settings, topic)
    try:
        yield reader
    finally:
        await reader.stop()


@asynccontextmanager
async def _answering(settings: Settings) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_DEADLINE_SECONDS):
            yield
    except (KafkaError, TimeoutError) as away:
        raise Stop(f"Kafka at {settings.kafka_bootstrap_servers} does not answer: {describe(away)}") from away
    # Retention took a record between the two questions: the next look sees the log as it is.
    except Retryable as cut:
        raise Stop(f"{cut}: ask again") from cut
