"""What compresses well takes no more memory of a consumer than what does not: it is handed out in portions."""

from collections.abc import Sequence

import pytest
from aiokafka import TopicPartition

from services.kernel.kafka import client
from services.kernel.kafka.portions import MOST_BYTES
from tests.kernel_bench import Bench

_LARGE, _COUNT = 1_000_000, 12
_SILENCE_MS = 500


@pytest.mark.parametrize("size", [_LARGE, MOST_BYTES + 1])
async def test_records_that_are_large_are_handed_out_a_few_at_a_time_and_all_of_them(bench: Bench, size: int) -> None:
    portions = await _portions(bench, [b"%d" % number + bytes(size) for number in range(_COUNT)], _COUNT)

    assert [number for some in portions for number in some] == [*range(_COUNT)]
    assert max(map(len, portions)) == -(-MOST_BYTES // size)


async def test_records_that_are_small_are_handed_out_up_to_the_number_asked_for(bench: Bench) -> None:
    values = [b"%d\0" % number for number in range(_COUNT)]

    assert await _portions(bench, values, 5) == [[*range(5)], [*range(5, 10)], [10, 11]]


async def _portions(bench: Bench, values: Sequence[bytes], most: int) -> list[list[int]]:
    """Records of one key by their numbers, as `getmany` hands them out."""
    [partition] = {partition for partition, _ in await bench.send_records([bench.record(0, value=v) for v in values])}
    consumer = client.consumer(bench.settings, auto_offset_reset="earliest", max_partition_fetch_bytes=2**26)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(bench.topic.name, partition)])
        found: list[list[int]] = []
        while sum(map(len, found)) < _COUNT:
            fetched = await consumer.getmany(timeout_ms=_SILENCE_MS, max_records=most)
            found += [[int(one.value.partition(b"\0")[0]) for one in some] for some in fetched.values()]
        return found
    finally:
        await consumer.stop()
