"""The drainer before a Kafka that goes away: what it has read ahead is given up, not left to raise unheard."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast
from uuid import uuid4

from prometheus_client import CollectorRegistry

from services.ingress.spool.drain import Drainer
from services.ingress.spool.metrics import SpoolMetrics
from services.ingress.spool.shelf import Chunk
from services.ingress.spool.spool import Spool
from services.ingress.spool.switch import Switch
from services.kernel import Clock, Publisher, Record, Retryable
from tests.eventually import eventually

_TAKEN_TIMES = 4  # so often Kafka takes what is offered; by then the drainer reads ahead


class Scene:
    """A spool that never ends, and a Kafka that takes four offers."""

    records = 1_000_000

    def __init__(self) -> None:
        self.offers = 0
        self.ahead: list[asyncio.Future[list[Chunk]]] = []

    def read(self, after: Chunk | None, _records: int) -> "asyncio.Future[list[Chunk]]":
        future = asyncio.get_running_loop().create_future()
        if after:
            self.ahead.append(future)
        else:
            record = Record("t", b"k", b"{}", (("id", str(uuid4()).encode()),))
            future.set_result([Chunk(cast(Any, None), 1, 1, [record])])
        return future

    def settle(self, _settled: object) -> "asyncio.Future[None]":
        future = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future

    async def publish_all(self, records: Sequence[Record]) -> list[Any]:
        self.offers += 1
        return [(0, 0) if self.offers <= _TAKEN_TIMES else Retryable("away") for _ in records]

    def give_up(self) -> None: ...


async def test_what_was_read_ahead_is_given_up_when_kafka_goes_away() -> None:
    scene, metrics = Scene(), SpoolMetrics(CollectorRegistry())
    spool, publisher = cast(Spool, scene), cast(Publisher, scene)
    switch = Switch(publisher, Clock(), metrics.spooling)
    switch.spool_first("the test says so")
    draining = asyncio.create_task(Drainer(spool, publisher, switch, metrics, Clock()).run())

    await eventually(lambda: scene.offers > _TAKEN_TIMES)
    await eventually(lambda: bool(scene.ahead) and scene.ahead[0].cancelled())
    draining.cancel()
    await asyncio.gather(draining, return_exceptions=True)
