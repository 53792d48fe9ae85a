"""What the logs themselves say: where each begins and ends, and which record stands where."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from services.kernel.errors import Stop
from services.kernel.record import Record
from services.kernel.settings import Settings
from services.kernel.topics import Admin, client_options

_DEADLINE_SECONDS = 20.0
_FETCH_MS = 200

Place = tuple[str, int]  # topic and partition
At = tuple[Place, int]  # and offset


@dataclass(frozen=True, slots=True)
class Log:
    """Offsets `begin` up to, not including, `end`."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """Which cluster it is, and every log of the topics asked for; a topic that is absent has none."""

    id: str
    logs: Mapping[Place, Log]


async def look(settings: Settings, topics: Collection[str]) -> Cluster:
    """Ask Kafka. Raises Stop when it does not answer."""
    async with _answering(settings):
        async with Admin(settings) as admin:
            cluster_id = str((await admin.describe_cluster())["cluster_id"])
            # Asking for offsets of an absent topic hangs, so existence comes first.
            described = await admin.describe_topics(sorted(topics)) if topics else []
        places = [
            TopicPartition(one["topic"], part["partition"])
            for one in described
            if not one["error_code"]
            for part in one["partitions"]
        ]
        async with _consumer(settings) as consumer:
            begins = await consumer.beginning_offsets(places) if places else {}
            ends = await consumer.end_offsets(places) if places else {}
    return Cluster(cluster_id, {(tp.topic, tp.partition): Log(begins[tp], ends[tp]) for tp in places})


async def first_records(settings: Settings, wanted: Collection[At], cluster: Cluster) -> dict[At, Record | None]:
    """The first record at or after each place and offset, None where only emptiness follows up to the log's end.

    What lies outside the log, or was taken by retention meanwhile, is left out.
    """
    asked = {(place, offset) for place, offset in wanted if _within(cluster.logs.get(place), offset)}
    found: dict[At, Record | None] = {}
    if asked:
        async with _answering(settings), _consumer(settings) as consumer:
            while asked:
                one_each = dict(sorted(asked))
                asked -= set(one_each.items())
                found |= await _first(consumer, one_each, cluster)
    return found


def _within(log: Log | None, offset: int) -> bool:
    return log is not None and log.begin <= offset < log.end


async def _first(consumer: Any, at: Mapping[Place, int], cluster: Cluster) -> dict[At, Record | None]:
    waiting = {TopicPartition(*place) for place in at}
    consumer.assign(waiting)
    for tp in waiting:
        consumer.seek(tp, at[tp.topic, tp.partition])
    found: dict[At, Record | None] = {}
    while waiting:
        try:
            fetched = await consumer.getmany(*waiting, timeout_ms=_FETCH_MS)
        except OffsetOutOfRangeError as taken:
            waiting -= set(taken.args[0])
            continue
        for tp, records in fetched.items():
            found[(tp.topic, tp.partition), at[tp.topic, tp.partition]] = Record.consumed(records[0])
        for tp in list(waiting - set(fetched)):
            place = (tp.topic, tp.partition)
            if await consumer.position(tp) >= cluster.logs[place].end:
                found[place, at[place]] = None
                waiting.remove(tp)
        waiting -= set(fetched)
    return found


@asynccontextmanager
async def _consumer(settings: Settings) -> AsyncIterator[Any]:
    consumer = AIOKafkaConsumer(
        **client_options(settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=1,  # Kafka still answers with one whole batch
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


@asynccontextmanager
async def _answering(settings: Settings) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_DEADLINE_SECONDS):
            yield
    except (KafkaError, TimeoutError) as away:
        raise Stop(f"Kafka at {settings.kafka_bootstrap_servers} does not answer: {type(away).__name__}") from away
