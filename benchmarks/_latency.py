"""How long from just before a webhook is posted to the door until its row can be seen, while others flow; and what a
message costs in a conversation of 5,000 against one in conversations of 50, webhooks in batches of 50."""

import asyncio
import secrets
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

import httpx
import orjson

from benchmarks._conversations import CONSUMED, GREETINGS, ConversationsBench, group_of
from db.pool import SERVICE, Pool, open_pool
from local.replay.webhook_sender import sign
from schemas.topics import WEBHOOKS
from services.conversations import app as conversations
from services.ingress import app as ingress
from services.kernel import Process, Record
from services.kernel.kafka.topics import ensure_topics
from tests.recordings.recorded import RUNS, account_webhooks
from tests.services.conversations.bench import apply
from tests.services.conversations.dialogues import dialogue

_SEEN = "select true from wootstream.conversations where organization_id = $1 and conversation_id = $2"
_NUMBERS = range(10_000, 60_000, 10_000)  # of the conversations that probes begin
_LIKE = next(one for one in account_webhooks(RUNS[0]) if one.event == "message_created")
_SIGNS = "update public.chatwoot_accounts set webhook_secret = $2, chatwoot_account_id = $3 where organization_id = $1"
_LONG, _SHORT, _BATCH = 5_000, 50, 50


@dataclass(frozen=True)
class TimedDoor:
    """A store's door, as Chatwoot knows it."""

    client: httpx.AsyncClient
    store: uuid.UUID
    path: str
    secret: str

    async def post(self, body: bytes) -> None:
        """A signed webhook; anything but an acceptance ends the measurement."""
        timestamp = str(int(datetime.now(UTC).timestamp()))
        headers = {"x-chatwoot-timestamp": timestamp, "x-chatwoot-signature": sign(self.secret, timestamp, body)}
        (await self.client.post(self.path, content=body, headers=headers)).raise_for_status()


async def latency(bench: ConversationsBench, *, rate: float, seconds: float) -> list[float]:
    """Seconds from just before a webhook is posted until its row can be seen, while `rate` records a second flow."""
    await ensure_topics(bench.settings)
    await bench.meet(WEBHOOKS)
    given: list[Record] = []
    while len(given) < rate * seconds:
        given += [one for run in RUNS for one in await bench.new_stores(WEBHOOKS, run)]
    sender, server = Process(bench.settings), Process(bench.settings)
    store, secret = await _signing_store(bench, server)
    ingress.add_to(server)
    conversations.add_to(server)
    await sender.publisher.connect()
    serving = asyncio.create_task(server.serve())
    await sender.publisher.publish(given[0])
    while await bench.admin.fetchval(CONSUMED, group_of(WEBHOOKS)) <= GREETINGS:
        await asyncio.sleep(0.05)
    async with httpx.AsyncClient(base_url=server.address) as client:
        door = TimedDoor(client, store, f"/webhooks/chatwoot/{_slug(store)}", secret)
        await _wait(bench, door, _NUMBERS[0])  # the door has yet to hear of the store
        flowing = asyncio.create_task(_flow(sender, given, rate=rate, seconds=seconds))
        probes = [_probe(bench, door, numbers, flowing) for numbers in map(count, _NUMBERS[1:])]
        waits = [wait for part in await asyncio.gather(*probes) for wait in part]
    server.stopping.set()
    await serving
    await sender.publisher.stop()
    await sender.chatwoot.close()
    return waits


async def _signing_store(bench: ConversationsBench, server: Process) -> tuple[uuid.UUID, str]:
    """A store of the recorded body's account whose webhooks are signed."""
    store, secret = await bench.attach(1, "4.13.0"), secrets.token_hex(16)
    sealed = server.secrets.seal(secret, organization=store, column="webhook_secret")
    await bench.admin.execute(_SIGNS, store, sealed, orjson.loads(_LIKE.body)["account"]["id"])
    return store, secret


def _slug(store: uuid.UUID) -> str:
    return f"s-{store.hex[:20]}"


async def _flow(sender: Process, given: Sequence[Record], *, rate: float, seconds: float) -> None:
    began, sent = time.perf_counter(), 0
    while (now := time.perf_counter() - began) < seconds:
        due = int(now * rate) - sent
        await asyncio.gather(*map(sender.publisher.publish, given[sent : sent + due]))
        sent += due
        await asyncio.sleep(0.01)


async def _probe(
    bench: ConversationsBench, door: TimedDoor, numbers: Iterator[int], flowing: asyncio.Task[None]
) -> list[float]:
    """One after another while the others flow."""
    waits = []
    while not flowing.done():
        waits.append(await _wait(bench, door, next(numbers)))
    return waits


async def _wait(bench: ConversationsBench, door: TimedDoor, number: int) -> float:
    like = orjson.loads(_LIKE.body)
    body = orjson.dumps(like | {"id": number, "conversation": like["conversation"] | {"id": number}})
    began = time.perf_counter()
    await door.post(body)
    async with bench.looks.acquire() as conn:
        while not await conn.fetchval(_SEEN, door.store, number):
            await asyncio.sleep(0.002)
    return time.perf_counter() - began


async def long_against_short(bench: ConversationsBench) -> float:
    """How many times as much: 1 is the same."""
    url = bench.settings.database_url
    assert url is not None
    pool = open_pool(url.get_secret_value(), SERVICE)
    try:
        store = await bench.attach(1, "4.13.0")
        numbers = range(2, 2 + _LONG // _SHORT)
        short = [one for number in numbers for one in dialogue(store, conversation=number, messages=_SHORT)]
        await apply(pool, dialogue(store, conversation=1_000, messages=_SHORT), batch=_BATCH)  # warms connections up
        took = await _seconds(pool, short)
        return await _seconds(pool, dialogue(store, conversation=1, messages=_LONG)) / took
    finally:
        await pool.close()


async def _seconds(pool: Pool, given: Sequence[Record]) -> float:
    began = time.perf_counter()
    await apply(pool, given, batch=_BATCH)
    return time.perf_counter() - began
