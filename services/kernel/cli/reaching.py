"""Kafka for a verb that sends: a person wants to know soon that it is not there."""

import asyncio

from schemas.topics import Topic
from services.kernel.errors import Stop
from services.kernel.kafka.topics import absent
from services.kernel.process import Process

_SECONDS = 15


async def reach_topic(process: Process, topic: Topic) -> None:
    """Connect the process's publisher. Raises Stop with the cure where Kafka is away or has no such topic."""
    try:
        async with asyncio.timeout(_SECONDS):
            await process.publisher.connect()
            if await absent(process.settings, [topic]):
                raise Stop(f"Kafka has no topic {topic.name}: make it with: wootstream topics")
    except TimeoutError as cause:
        raise Stop(f"Kafka does not answer ({process.publisher.trouble})") from cause
