"""A producer that waits for a leader asks for one again and again, but not as fast as Kafka can answer."""

import asyncio
import itertools
from typing import Any

from services.kernel import Settings
from services.kernel.kafka import client
from services.kernel.kafka.leaderless import PAUSE_SECONDS

_AGAIN = 4
_RESOLUTION = 0.001  # a loop may wake by so much too early


def _noting(producer: Any) -> list[float]:
    """When Kafka is asked, by the moment from which the next pause counts: one read here is later on a busy machine."""
    asked: list[float] = []
    ask = producer.client.force_metadata_update

    def noted() -> Any:
        asked.append(producer._sender.client._asked_at)
        return ask()

    producer.client.force_metadata_update = noted
    return asked


async def test_who_asks_again_at_once_is_answered_after_a_pause_and_with_all_who_asked_meanwhile(
    settings: Settings,
) -> None:
    async with client.producer(settings) as producer:
        asked = _noting(producer)
        sender = producer._sender.client  # what aiokafka's sender asks, as soon as it was answered
        for _ in range(_AGAIN):
            await asyncio.gather(*(sender.force_metadata_update() for _ in range(3)))
        assert len(asked) == _AGAIN
        pauses = [later - before for before, later in itertools.pairwise(asked)]
        assert min(pauses) > PAUSE_SECONDS - _RESOLUTION


async def test_who_stops_asking_keeps_nobody_else_from_the_answer(settings: Settings) -> None:
    async with client.producer(settings) as producer:
        sender = producer._sender.client
        await sender.force_metadata_update()
        gone, waits = sender.force_metadata_update(), sender.force_metadata_update()
        gone.cancel()
        await waits
