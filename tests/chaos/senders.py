"""Chatwoots that send at a chosen rate whatever the answers take, and what the topic then has of it."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import WEBHOOKS
from services.kernel import Record, Settings
from services.kernel.kafka.client import client_options
from tests.services.ingress.bench import Shop, signed
from tests.services.ingress.wire import Wire, request, wire

_CONNECTIONS = 64
_CONVERSATIONS = 500
_CONTENT = "Where is my order? " * 100


@dataclass
class Senders:
    """Webhooks of one store, numbered; each is sent once, at its own moment."""

    address: str
    shop: Shop
    per_second: float
    accepted: list[int] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)  # status → times; 0: no answer
    waits: list[tuple[float, float]] = field(default_factory=list)  # due when, answered so many seconds later
    _ending: bool = False

    async def run(self) -> None:
        """Until `end`. A wait counts from the moment that was due, so a slow answer is not hidden by fewer requests."""
        begin = time.monotonic()
        due = ((number, begin + number / self.per_second) for number in itertools.count())
        await asyncio.gather(*(self._connection(due) for _ in range(_CONNECTIONS)))

    def end(self) -> None:
        self._ending = True

    def p99(self, begin: float, end: float) -> float:
        """Seconds, of what was due between these moments."""
        waits = sorted(wait for due, wait in self.waits if begin <= due < end)
        return waits[int(len(waits) * 0.99)]

    async def _connection(self, due: Iterator[tuple[int, float]]) -> None:
        while not self._ending:
            try:
                async with wire(self.address) as connection:
                    await self._speak(connection, due)
            except ConnectionError:  # nobody listens: Chatwoot does not come again with that one either
                self.answers[0] += 1
                await asyncio.sleep(next(due)[1] - time.monotonic())

    async def _speak(self, connection: Wire, due: Iterator[tuple[int, float]]) -> None:
        for number, moment in due:
            await asyncio.sleep(moment - time.monotonic())
            body = _body(self.shop, number)
            headers = signed(self.shop, body, at=datetime.now(UTC))
            status, _ = await connection.ask(request(self.shop.door, headers, body))
            self.answers[status] += 1
            self.waits.append((moment, time.monotonic() - moment))
            if status == 204:
                self.accepted.append(number)
            if self._ending or connection.closed:
                return


@asynccontextmanager
async def sending(address: str, shop: Shop, *, per_second: float) -> AsyncIterator[Senders]:
    """They send for the length of a `with`; every answer is in when it ends."""
    senders = Senders(address, shop, per_second)
    running = asyncio.create_task(senders.run())
    try:
        yield senders
    finally:
        senders.end()
        await running


def _body(shop: Shop, number: int) -> bytes:
    return orjson.dumps(
        {
            "event": "message_created",
            "id": number,
            "account": {"id": shop.account_id},
            "conversation": {"id": number % _CONVERSATIONS},
            "content": _CONTENT,
        }
    )


async def numbers_in_topic(settings: Settings, shop: Shop) -> Counter[int]:
    """How often each number of this store is in the topic."""
    consumer = AIOKafkaConsumer(**client_options(settings), auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(WEBHOOKS.name, number) for number in range(WEBHOOKS.partitions)]
        consumer.assign(places)
        missing, found = sum((await consumer.end_offsets(places)).values()), Counter[int]()
        while missing > 0:
            fetched = (await consumer.getmany(timeout_ms=500)).values()
            records = [Record.consumed(one) for some in fetched for one in some]
            found.update(orjson.loads(one.value)["id"] for one in records if one.store == shop.id)
            missing -= len(records)
        return found
    finally:
        await consumer.stop()
