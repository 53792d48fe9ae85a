"""A lane and a client that answers when told to: what becomes of those who wait while Kafka is slow or refuses."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import (
    BrokerResponseError,
    KafkaConnectionError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    for_code,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.protocol.metadata import MetadataResponse_v0

from services.kernel.publishing.lanes import BATCH_BYTES, Lane, Routes, Tick
from services.kernel.record import Record
from tests.eventually import eventually

_PATIENT, _IMPATIENT = 60.0, 0.01


class Client:
    """Takes batches, real ones, and answers none before the test does."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.answers: list[asyncio.Future[Any]] = []

    def create_batch(self) -> Any:
        return BatchBuilder(BATCH_BYTES, 0)

    async def send_batch(self, batch: Any, _topic: str, *, partition: int) -> "asyncio.Future[Any]":
        self.sizes.append(batch.record_count())
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]

    async def asked(self, times: int) -> None:
        await eventually(lambda: len(self.answers) == times)


class Scene:
    """One lane of partition 3, and what its listener was told."""

    def __init__(self) -> None:
        self.client = Client()
        self.acknowledged: list[tuple[str, int, int, int]] = []
        self.lane = Lane(self.client, "t", 3, Tick(0), lambda *kept: self.acknowledged.append(kept))

    def add(self, *, size: int = 10, patience: float = _PATIENT) -> "asyncio.Future[tuple[int, int]]":
        return self.lane.add(Record("t", b"k", b"x" * size, ()), patience)

    def acknowledge(self, answer: int, offset: int) -> None:
        self.client.answers[answer].set_result(SimpleNamespace(offset=offset))


async def test_what_comes_while_a_batch_is_on_its_way_goes_together_in_the_next() -> None:
    scene = Scene()
    waiting = [scene.add()]
    await scene.client.asked(1)
    waiting += [scene.add() for _ in range(4)]
    scene.acknowledge(0, 100)
    await scene.client.asked(2)
    scene.acknowledge(1, 101)
    assert await asyncio.gather(*waiting) == [(3, offset) for offset in range(100, 105)]
    assert scene.client.sizes == [1, 4]
    assert scene.acknowledged == [("t", 3, 100, 1), ("t", 3, 104, 4)]


async def test_nobody_joins_those_who_gave_up_and_they_are_not_sent() -> None:
    scene = Scene()
    first = scene.add()
    await scene.client.asked(1)
    second = scene.add()
    scene.lane.waiting()[1].fail(KafkaConnectionError("given up"))
    with pytest.raises(KafkaConnectionError):
        await second
    third = scene.add()
    scene.acknowledge(0, 100)
    await scene.client.asked(2)
    scene.acknowledge(1, 101)
    assert (await first, await third) == ((3, 100), (3, 101))
    assert scene.client.sizes == [1, 1]


async def test_who_has_no_more_patience_waits_no_longer() -> None:
    with pytest.raises(TimeoutError):
        await Scene().add(patience=_IMPATIENT)


async def test_an_acknowledgement_that_nobody_waited_for_is_not_told() -> None:
    scene = Scene()
    late = scene.add()
    await scene.client.asked(1)
    scene.lane.waiting()[0].fail(TimeoutError())
    with pytest.raises(TimeoutError):
        await late
    scene.acknowledge(0, 100)
    last = scene.add()
    await scene.client.asked(2)
    scene.acknowledge(1, 101)
    assert await last == (3, 101)
    assert scene.acknowledged == [("t", 3, 101, 1)]


@pytest.mark.parametrize("error", [MessageSizeTooLargeError, PolicyViolationError, for_code(87)])
async def test_the_record_that_kafka_refuses_for_good_is_found_and_those_with_and_behind_it_are_sent(
    error: type[BrokerResponseError],
) -> None:
    scene = Scene()
    bad = 2
    together = [scene.add() for _ in range(5)]
    await scene.client.asked(1)
    behind = scene.add(size=2 * BATCH_BYTES)
    answers: list[int | None] = [None, 100, None, None, 102, 104]  # to 0-4; 0-1; 2-4; 2; 3-4; the one behind
    for number, offset in enumerate(answers):
        await scene.client.asked(number + 1)
        if offset is None:
            scene.client.answers[number].set_exception(error())
        else:
            scene.acknowledge(number, offset)

    outcomes = await asyncio.gather(*together, behind, return_exceptions=True)

    assert isinstance(outcomes.pop(bad), error)
    assert outcomes == [(3, 100), (3, 101), (3, 102), (3, 103), (3, 104)]
    assert scene.client.sizes == [5, 2, 3, 1, 2, 1]


async def test_records_with_less_patience_join_while_everybody_keeps_half_of_his_own() -> None:
    scene = Scene()
    waiting = [scene.add()]
    await scene.client.asked(1)
    # 25 s are less than half of 60 s, and the half of 80 s is over later.
    waiting += [scene.add(patience=patience) for patience in (60.0, 40.0, 25.0, 80.0, 60.0)]
    assert [one.builder.record_count() for one in scene.lane.waiting()] == [1, 2, 1, 2]
    scene.lane.close()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_lane_that_closes_leaves_nobody_waiting() -> None:
    scene = Scene()
    waiting = [scene.add()]
    await scene.client.asked(1)
    waiting += [scene.add() for _ in range(2)]
    scene.lane.close()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(one) for one in outcomes} == {KafkaConnectionError}


async def test_a_topic_that_has_grown_is_filled_to_its_new_width() -> None:
    cluster = ClusterMetadata()
    routes = Routes(SimpleNamespace(client=SimpleNamespace(cluster=cluster)), lambda *_: None)
    records = [Record("t", b"%d" % number, b"", ()) for number in range(200)]
    assert routes.place(records[0]) is None
    for width in (4, 8):
        partitions = [(0, number, 0, [0], [0]) for number in range(width)]
        cluster.update_metadata(MetadataResponse_v0([(0, "broker", 9092)], [(0, "t", partitions)]))
        assert {routes.place(record) for record in records} == {("t", number) for number in range(width)}
