"""What a round of the conversations benchmark needs: topics full of recorded webhooks, a bare consumer, and ours."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from db.stores import add_organization
from schemas.topics import WEBHOOKS, Topic
from services.conversations import events, handlers
from services.conversations.events import ConversationFacts
from services.kernel import Process, Record, Settings, consume
from services.kernel.kafka.topics import ensure_topics
from tests.recordings.recorded import RUNS, account_webhooks, stores

BARE_TABLE = """
create table if not exists bare (organization_id uuid, id bigint, body text, primary key (organization_id, id))
"""
_BARE = "insert into bare values ($1, $2, $3) on conflict (organization_id, id) do update set body = excluded.body"
_ATTACH = """
insert into public.chatwoot_accounts
  (organization_id, slug, chatwoot_base_url, chatwoot_account_id, account_name, release, website_token)
values ($1, $2, $2, $3, $2, $4, $2)
"""
GREETINGS = 200  # enough keys for every partition
CONSUMED = "select coalesce(sum(consumed), 0) from wootstream.ledger where consumer_group = $1"


class ConversationsBench:
    """One stack, and what a round needs of it."""

    def __init__(self, settings: Settings, admin: Any, looks: Any) -> None:
        self.settings = settings
        self.admin = admin
        self.looks = looks  # a pool: several look at once

    async def fill(self, topic: Topic, records: int) -> list[Record]:
        """A topic with the recorded webhooks of as many new stores as needed."""
        await ensure_topics(self.settings, [topic])
        await self.meet(topic)
        given: list[Record] = []
        while len(given) < records:
            given += [one for run in RUNS for one in await self.new_stores(topic, run)]
        given = given[:records]
        await self.publish(given)
        return given

    async def new_stores(self, topic: Topic, run: str) -> list[Record]:
        """The conversations' webhooks of a run, for stores that exist from now on."""
        ids = {store["name"]: await self.attach(store["account"], store["release"]) for store in stores(run)}
        heard = [one for one in account_webhooks(run) if one.event.startswith(("message", "conversation"))]
        return [record(topic, ids[one.store], one.event, one.body) for one in heard if "typing" not in one.event]

    async def attach(self, account: int, release: str) -> uuid.UUID:
        """A store that nobody has heard of."""
        organization = uuid.uuid4()
        await add_organization(self.admin, organization, organization.hex)
        await self.admin.execute(_ATTACH, organization, f"s-{organization.hex[:20]}", account, release)
        return organization

    async def publish(self, records: Sequence[Record]) -> None:
        process = Process(self.settings)
        await process.publisher.connect()
        for start in range(0, len(records), 1000):
            await asyncio.gather(*map(process.publisher.publish, records[start : start + 1000]))
        await process.publisher.stop()
        await process.chatwoot.close()

    async def bare(self, topic: Topic, records: int) -> float:
        """Records a second of the least that could be written."""
        servers = self.settings.kafka_bootstrap_servers
        consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
        await consumer.start()
        consumer.assign([TopicPartition(topic.name, number) for number in range(topic.partitions)])
        statement = await self.admin.prepare(_BARE)
        done, started = 0, 0.0
        while done < records + GREETINGS:
            fetched = await consumer.getmany(timeout_ms=200, max_records=500)
            batch = [one for part in fetched.values() for one in part]
            started = started or time.perf_counter()
            async with self.admin.transaction():
                for one in batch:
                    store = uuid.UUID(dict(one.headers)["store"].decode())
                    await statement.fetch(store, orjson.loads(one.value)["id"], one.value.decode())
            done += len(batch)
        await consumer.stop()
        return records / (time.perf_counter() - started)

    async def ours(self, topic: Topic, records: int) -> float:
        """Records a second of the conversations service in the kernel."""
        started: list[float] = []

        def read(record: Record) -> ConversationFacts | None:
            if not started:
                started.append(time.perf_counter())
            return events.read(record)

        process, group = Process(self.settings), group_of(topic)
        consume(process, topic, group=group, read=read, apply=handlers.keep)
        await self.until_consumed(process, group, records + GREETINGS)
        return records / (time.perf_counter() - started[0])

    async def meet(self, topic: Topic) -> None:
        """Let the group see each partition once: a first sight costs it a second, and only once in its life."""
        store = await self.attach(1, "4.13.0")
        greetings = [record(topic, store, "greeting", b'{"id": %d}' % number) for number in range(GREETINGS)]
        await self.publish(greetings)
        process = Process(self.settings)
        consume(process, topic, group=group_of(topic), read=events.read, apply=handlers.keep)
        await self.until_consumed(process, group_of(topic), GREETINGS)

    async def until_consumed(self, process: Process, group: str, count: int) -> None:
        """Serve until the ledger says so, then stop as by SIGTERM."""
        serving = asyncio.create_task(process.serve())
        while await self.admin.fetchval(CONSUMED, group) < count and not serving.done():
            await asyncio.sleep(0.01)
        process.stopping.set()
        if await serving:
            raise RuntimeError("the consuming process failed")


def group_of(topic: Topic) -> str:
    """The service's own group where its own topic is read."""
    return "conversations" if topic == WEBHOOKS else f"bench-{topic.name}"


def record(topic: Topic, store: uuid.UUID, event: str, body: bytes) -> Record:
    parsed = orjson.loads(body)
    number = parsed["conversation"]["id"] if "conversation" in parsed else parsed["id"]
    return Record.accepted(
        topic.name,
        key=f"{store}:conversation:{number}".encode(),
        value=body,
        store=store,
        event=event,
        origin="webhook",
        received_at=datetime.now(UTC),
    )
