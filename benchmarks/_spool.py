"""One round of the spool's benchmark: the same records directly, into the spool, out of it, and by the client alone."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer

from schemas.topics import MAX_MESSAGE_BYTES, Topic
from services.ingress.app import acceptance_of
from services.ingress.spool.switch import Way
from services.kernel import Process, Record, Settings
from services.kernel.kafka.client import client_options
from tests.recordings.recorded import RUNS, account_webhooks

_SENDERS = 64
_WINDOW = 1_500  # as many as the drainer offers at a time


class SpoolRound:
    """One process, not served, on one new topic; every measure is in records a second."""

    def __init__(self, settings: Settings, topic: Topic, count: int) -> None:
        self._settings = settings
        self._process = Process(settings)
        self._acceptance = acceptance_of(self._process)
        self._records = made(topic, count)

    async def measure(self) -> dict[str, float]:
        """Directly, into the spool, out of it, and by the client alone."""
        acceptance, count = self._acceptance, len(self._records)
        await self._process.publisher.connect()
        await self._keep(self._records[:_WINDOW])
        figures = {"direct": count / await _seconds(self._keep(self._records))}
        acceptance.switch.spool_first("the benchmark says so")
        figures["spool"] = count / await _seconds(self._keep(self._records))
        draining = asyncio.create_task(acceptance.drainer.run())
        figures["drain"] = count / await _seconds(self._until_direct())
        draining.cancel()
        figures["producer"] = count / await self._alone()
        await acceptance.spool.close()
        await self._process.publisher.stop()
        await self._process.chatwoot.close()
        return figures

    async def _keep(self, records: Sequence[Record]) -> None:
        waiting = iter(records)

        async def sender() -> None:
            for record in waiting:
                await self._acceptance.keep(record, time.monotonic() + self._settings.answer_seconds)

        await asyncio.gather(*(sender() for _ in range(_SENDERS)))

    async def _until_direct(self) -> None:
        while self._acceptance.switch.way is not Way.DIRECT:
            await asyncio.sleep(0.002)

    async def _alone(self) -> float:
        producer: Any = AIOKafkaProducer(
            **client_options(self._settings),
            acks="all",
            compression_type="zstd",
            linger_ms=5,
            max_batch_size=256 * 1024,
            max_request_size=MAX_MESSAGE_BYTES,
        )
        await producer.start()
        try:
            await _send(producer, self._records[:_WINDOW])
            return await _seconds(_send(producer, self._records))
        finally:
            await producer.stop()


async def _send(producer: Any, records: Sequence[Record]) -> None:
    for start in range(0, len(records), _WINDOW):
        window = records[start : start + _WINDOW]
        sent = [
            await producer.send(one.topic, value=one.value, key=one.key, headers=list(one.headers)) for one in window
        ]
        await asyncio.wait(sent)


async def _seconds(work: Awaitable[None]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


def made(topic: Topic, count: int) -> list[Record]:
    """Recorded webhooks, in turn, of some hundred conversations."""
    store, bodies = uuid.uuid4(), [one.body for run in RUNS for one in account_webhooks(run)]
    return [
        Record.accepted(
            topic.name,
            key=f"{store}:conversation:{number % 500}".encode(),
            value=bodies[number % len(bodies)],
            store=store,
            event="message_created",
            origin="webhook",
            received_at=datetime.now(UTC),
        )
        for number in range(count)
    ]
