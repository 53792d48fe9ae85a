"""Publishing: records of a partition travel together, and each of them is told its own place."""

import asyncio
import os
from bisect import bisect_left
from dataclasses import replace

import pytest
from aiokafka.errors import MessageSizeTooLargeError, UnknownTopicOrPartitionError

from schemas.topics import MAX_MESSAGE_BYTES
from services.kernel import Record, Retryable
from services.kernel.kafka.log_reader import Reader
from services.kernel.kafka.topics import ensure_topics
from services.kernel.publishing.size import fits
from services.kernel.publishing.verdicts import NeverTaken
from tests.eventually import eventually
from tests.kernel_bench import Bench
from tests.publishing import publish_all

_QUARTER_OF_A_BATCH = 64 * 1024


async def test_records_published_at_once_get_their_own_places_in_the_order_of_their_keys(bench: Bench) -> None:
    acknowledged: list[tuple[str, int, int, int]] = []
    bench.publisher.on_acknowledged(lambda *kept: acknowledged.append(kept))
    records = [bench.record(n, key=b"%d" % (n % 5)) for n in range(2_000)]
    places = await publish_all(bench.publisher, records)
    assert len(set(places)) == len(records)
    for key in range(5):
        mine = places[key::5]
        assert {partition for partition, _ in mine} == {mine[0][0]}
        assert mine == sorted(mine)
    assert sum(count for *_, count in acknowledged) == len(records)
    assert {(p, end) for _, p, end, _ in acknowledged} >= {
        (p, max(at for q, at in places if q == p)) for p, _ in places
    }
    assert len(acknowledged) < len(records) / 20  # they did travel together


async def test_records_that_fill_several_batches_keep_their_order_and_their_bytes(bench: Bench) -> None:
    records = [bench.record(None, value=b"%d" % n * _QUARTER_OF_A_BATCH) for n in range(10)]
    places = await publish_all(bench.publisher, records)
    reader = Reader(bench.settings, bench.topic.name)
    found = [(await reader.first({partition: at}, {partition: at + 1}))[partition] for partition, at in places]
    await reader.stop()
    assert places == sorted(places)
    assert [one.value for one in found if one] == [one.value for one in records]


async def test_the_largest_record_that_fits_is_taken_and_one_byte_more_is_refused_alone(bench: Bench) -> None:
    model = bench.record(None).coming_from("reconcile")

    def made(size: int) -> Record:
        return Record(model.topic, model.key, os.urandom(size), model.headers)

    room = bisect_left(range(MAX_MESSAGE_BYTES), True, key=lambda size: not fits(made(size))) - 1
    largest, large = made(room), made(room + 1)

    assert (fits(largest), fits(large)) == (True, False)
    [(_, offset)] = await publish_all(bench.publisher, [largest])
    assert offset == 0
    assert not fits(large.coming_from("webhook"))
    with pytest.raises(NeverTaken):
        await bench.publisher.publish(large)


async def test_a_record_that_the_broker_finds_invalid_is_refused_for_good(bench: Bench) -> None:
    await ensure_topics(bench.settings, [replace(bench.topic, extra={"cleanup.policy": "compact"})])
    keyless = Record(bench.topic.name, None, b"{}", (("id", b"1"),))

    async def refusal() -> str | None:
        """The broker answers before its log knows the topic's new settings: until then it takes the record."""
        try:
            await bench.publisher.publish(keyless)
        except NeverTaken as refused:
            return str(refused)
        return None

    assert "InvalidRecord" in str(await eventually(refusal))


async def test_a_record_too_large_for_the_topic_is_refused_alone(bench: Bench) -> None:
    large = bench.record(None, value=b"x" * MAX_MESSAGE_BYTES)
    outcomes = await bench.publisher.publish_all([bench.record(0), large, bench.record(1)])
    assert isinstance(outcomes[1], MessageSizeTooLargeError)
    assert [outcomes[0], outcomes[2]] == [(outcomes[0][0], 0), (outcomes[0][0], 1)]  # type: ignore[index]


async def test_what_was_given_up_before_it_left_is_not_sent(bench: Bench) -> None:
    await bench.send_records([bench.record(0)])
    waiting = [asyncio.create_task(bench.publisher.publish(bench.record(n))) for n in range(1, 9)]
    while bench.publisher.longest_wait() == 0:
        await asyncio.sleep(0)
    bench.publisher.give_up()
    for one in waiting:
        with pytest.raises(Retryable):
            await one
    [(partition, _)] = await bench.send_records([bench.record(9)])
    reader = Reader(bench.settings, bench.topic.name)
    bounds = await reader.bounds([partition])
    await reader.stop()
    assert bounds == {partition: (0, 2)}


async def test_a_topic_that_does_not_exist_costs_all_its_records_one_wait(bench: Bench) -> None:
    record = bench.record(0)
    record.topic = "no.such.topic"
    outcomes = await bench.publisher.publish_all([record] * 1_000)
    assert {type(one) for one in outcomes} == {UnknownTopicOrPartitionError}
