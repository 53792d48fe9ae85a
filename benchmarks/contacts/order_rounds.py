"""What a round of order events needs: topics full of them, a bare consumer, and ours."""

import asyncio
import random
import time
import uuid
from collections.abc import Sequence
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.contacts.order_book import STORES, book, publish, records
from schemas.topics import Topic
from services.customers import events, handlers
from services.customers.events import ShopFact
from services.kernel import Process, Record, Settings, consume
from services.kernel.kafka.topics import ensure_topics
from tests.services.attached import attach

BARE_TABLE = """
create table if not exists bare_orders (organization_id uuid, id text, body text, primary key (organization_id, id))
"""
_BARE = """
insert into bare_orders values ($1, $2, $3) on conflict (organization_id, id) do update set body = excluded.body
"""
_CONSUMED = "select coalesce(sum(consumed), 0) from wootstream.ledger where consumer_group = $1"
_GREETINGS = 200  # enough keys for every partition


class OrdersBench:
    """One stack, and what a round needs of it."""

    def __init__(self, settings: Settings, admin: Any, chance: random.Random) -> None:
        self.settings = settings
        self.admin = admin
        self.chance = chance

    async def round(self, count: int, *, ours_first: bool) -> tuple[float, float]:
        """Events a second of the bare consumer and of ours, on the same records of new stores."""
        topic = Topic(f"bench.{uuid.uuid4().hex[:8]}", 1, partitions=12)
        await ensure_topics(self.settings, [topic])
        await self._meet(topic)
        made = records(topic, book([await attach(self.admin) for _ in range(STORES)], count, self.chance))
        await self._publish(made)
        rates: dict[bool, float] = {}
        for ours in (ours_first, not ours_first):
            rates[ours] = await (self._ours if ours else self._bare)(topic, count)
        return rates[False], rates[True]

    async def _publish(self, made: Sequence[Record]) -> None:
        process = Process(self.settings)
        await process.publisher.connect()
        await publish(process.publisher, made)
        await process.publisher.stop()
        await process.chatwoot.close()

    async def _bare(self, topic: Topic, count: int) -> float:
        """The least that could be written: fetch, decode, one raw upsert an event, one transaction a batch."""
        servers = self.settings.kafka_bootstrap_servers
        consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
        await consumer.start()
        consumer.assign([TopicPartition(topic.name, number) for number in range(topic.partitions)])
        done, started = 0, 0.0
        async with self.admin.acquire() as conn:
            statement = await conn.prepare(_BARE)
            while done < count + _GREETINGS:
                fetched = await consumer.getmany(timeout_ms=200, max_records=500)
                batch = [one for part in fetched.values() for one in part]
                started = started or time.perf_counter()
                async with conn.transaction():
                    for one in batch:
                        store = uuid.UUID(dict(one.headers)["store"].decode())
                        await statement.fetch(store, orjson.loads(one.value)["id"], one.value.decode())
                done += len(batch)
        await consumer.stop()
        return count / (time.perf_counter() - started)

    async def _ours(self, topic: Topic, count: int) -> float:
        """The customers service in the kernel: facts, orders, customers, and who is due."""
        started: list[float] = []

        def read(record: Record) -> ShopFact | None:
            if not started:
                started.append(time.perf_counter())
            return events.read(record)

        await self._consume(topic, read, count + _GREETINGS)
        return count / (time.perf_counter() - started[0])

    async def _meet(self, topic: Topic) -> None:
        """Let the group see each partition once: a first sight costs it a second, and only once in its life."""
        await self._publish(records(topic, book([await attach(self.admin)], _GREETINGS, self.chance)))
        await self._consume(topic, events.read, _GREETINGS)

    async def _consume(self, topic: Topic, read: Any, count: int) -> None:
        """Serve until the ledger says so, then stop as by SIGTERM."""
        process, group = Process(self.settings), f"bench-{topic.name}"
        consume(process, topic, group=group, read=read, apply=handlers.keep_facts, subjects=events.subjects)
        serving = asyncio.create_task(process.serve())
        while await self.admin.fetchval(_CONSUMED, group) < count and not serving.done():
            await asyncio.sleep(0.01)
        process.stopping.set()
        if await serving:
            raise RuntimeError("the consuming process failed")
