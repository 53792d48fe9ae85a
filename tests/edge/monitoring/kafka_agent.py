"""A Kafka of one's own that tells of itself by the agent and the rules that compose.yaml gives it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.kafka.fetch_agent import fetch
from local.stack.machine.ports import HOST, free_ports
from local.stack.packages import jars
from local.stack.servers import kafka
from schemas.topics import WEBHOOKS
from services.kernel import Settings
from services.kernel.kafka.topics import ensure_topics

_RULES = Path(__file__).parents[3] / "deploy/kafka/metrics.yaml"
_RECORDS = 20


@asynccontextmanager
async def told_by_kafka(folder: Path) -> AsyncIterator[str]:
    """host:port where it tells; our topics are there, and records were written and read."""
    agent = await asyncio.to_thread(fetch, jars.cache().with_name("kafka-agent"))
    class_path = await jars.class_path(jars.cache(), progress=lambda _done, _total: None)
    folder.mkdir(parents=True)
    (port,) = free_ports(1)
    option = f"-javaagent:{agent}={HOST}:{port}:{_RULES}"
    try:
        address = await kafka.start(folder, class_path=class_path, options=[option])
        await ensure_topics(Settings.model_validate({"kafka_bootstrap_servers": address}))
        await _used(address)
        yield f"{HOST}:{port}"
    finally:
        await asyncio.shield(kafka.server(folder).end())


async def _used(address: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        for number in range(_RECORDS):
            await producer.send_and_wait(WEBHOOKS.name, b"%d" % number)
    async with AIOKafkaConsumer(WEBHOOKS.name, bootstrap_servers=address, auto_offset_reset="earliest") as consumer:
        await consumer.getone()
