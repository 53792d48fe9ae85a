"""privacy.requests from its beginning: every erasure that there ever was, within the time that the topic keeps."""

import asyncio
from typing import Any

from aiokafka import TopicPartition

from schemas.topics import PRIVACY_REQUESTS
from services.kernel import Record, Settings
from services.kernel.kafka import client
from services.privacy.erasures.announcement import Announced, read

_SILENCE_SECONDS = 20.0


async def everything(settings: Settings) -> list[Announced]:
    """By the moment of each. Raises TimeoutError when Kafka says nothing for a while, or another KafkaError."""
    consumer = client.consumer(settings, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        async with asyncio.timeout(_SILENCE_SECONDS):
            await client.started(consumer, settings)
            numbers = await _partitions(consumer)
            places = [TopicPartition(PRIVACY_REQUESTS.name, number) for number in numbers]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            await consumer.seek_to_beginning(*places)
        found = [one async for one in _until(consumer, ends)]
    finally:
        await consumer.stop()
    return sorted(found, key=lambda one: one.erasure.asked_at)


async def _partitions(consumer: Any) -> set[int]:
    await consumer._client.set_topics([PRIVACY_REQUESTS.name])
    numbers: set[int] = consumer.partitions_for_topic(PRIVACY_REQUESTS.name) or set()
    return numbers


async def _until(consumer: Any, ends: dict[Any, int]) -> Any:
    while behind := [place for place, end in ends.items() if await consumer.position(place) < end]:
        async with asyncio.timeout(_SILENCE_SECONDS):
            fetched = await consumer.getmany(*behind, timeout_ms=500)
        for raw in (raw for records in fetched.values() for raw in records):
            if event := read(Record.consumed(raw)):
                yield event
