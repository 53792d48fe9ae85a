"""How long from just before a record is published until its row can be seen, while others flow."""

import asyncio
import time
from collections.abc import Sequence

from benchmarks._conversations import CONSUMED, Bench, group_of, record
from schemas.topics import Topic
from services.conversations import handlers
from services.kernel import Process, Record, consume
from services.kernel.topics import ensure_topics
from tests.recordings.recorded import RUNS, account_webhooks

_SEEN = "select true from wootstream.conversations where organization_id = $1"


async def latency(bench: Bench, topic: Topic, *, rate: float, seconds: float) -> list[float]:
    """Seconds from just before a record is published until its row can be seen, while `rate` a second flow."""
    await ensure_topics(bench.settings, [topic])
    await bench.meet(topic)
    given: list[Record] = []
    while len(given) < rate * seconds:
        given += [one for run in RUNS for one in await bench.new_stores(topic, run)]
    sender, consumer, group = Process(bench.settings), Process(bench.settings), group_of(topic)
    await sender.publisher.connect()
    consume(consumer, topic, group=group, read=handlers.read, apply=handlers.keep)
    serving = asyncio.create_task(consumer.serve())
    await sender.publisher.publish(given[0])
    while not await bench.admin.fetchval(CONSUMED, group):
        await asyncio.sleep(0.05)
    flowing = asyncio.create_task(_flow(sender, given, rate=rate, seconds=seconds))
    waits = await _probe(bench, sender, topic, flowing)
    consumer.stopping.set()
    await serving
    await sender.publisher.stop()
    await sender.chatwoot.close()
    return waits


async def _flow(sender: Process, given: Sequence[Record], *, rate: float, seconds: float) -> None:
    began, sent = time.perf_counter(), 0
    while (now := time.perf_counter() - began) < seconds:
        due = int(now * rate) - sent
        await asyncio.gather(*map(sender.publisher.publish, given[sent : sent + due]))
        sent += due
        await asyncio.sleep(0.01)


async def _probe(bench: Bench, sender: Process, topic: Topic, flowing: asyncio.Task[None]) -> list[float]:
    waits = []
    body = next(one.body for one in account_webhooks(RUNS[0]) if one.event == "message_created")
    while not flowing.done():
        probe = record(topic, await bench.attach(1, "4.13.0"), "message_created", body)
        began = time.perf_counter()
        await sender.publisher.publish(probe)
        while not await bench.admin.fetchval(_SEEN, probe.store):
            await asyncio.sleep(0.002)
        waits.append(time.perf_counter() - began)
    return waits
