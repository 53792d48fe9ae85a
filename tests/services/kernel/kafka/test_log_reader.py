"""The reader: what a log says of itself, also to those who asked while Kafka was away."""

import pytest
from aiokafka.errors import KafkaConnectionError

from services.kernel.kafka.log_reader import Reader
from tests.kernel_bench import Bench


async def test_the_first_record_at_or_after_an_offset_is_found_in_every_partition(bench: Bench) -> None:
    places = await bench.send_records([bench.record(n, key=b"%d" % n) for n in range(200)])
    ends = {partition: max(at for one, at in places if one == partition) + 1 for partition, _ in places}
    reader = Reader(bench.settings, bench.topic.name)
    bounds = await reader.bounds(ends)
    found = await reader.first({partition: end - 1 for partition, end in ends.items()}, ends)
    beyond = await reader.first(ends, ends)
    await reader.stop()
    assert bounds == {partition: (0, end) for partition, end in ends.items()}
    assert {partition: one and one.offset + 1 for partition, one in found.items()} == ends
    assert beyond == dict.fromkeys(ends)


async def test_a_reader_that_kafka_refused_asks_anew_instead_of_using_half_a_client(bench: Bench) -> None:
    reader = Reader(bench.settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"}), bench.topic.name)
    for _ in range(2):
        with pytest.raises(KafkaConnectionError):
            await reader.bounds([0])
    await reader.stop()
