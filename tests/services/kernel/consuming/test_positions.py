"""Which positions are worth asking the log about."""

from types import SimpleNamespace

from aiokafka import TopicPartition

from db.records import ledger
from services.kernel.consuming.positions import Positions
from tests.kernel_bench import Bench


class Consumer:
    """Kafka's client as far as it tells a position."""

    at = 0

    async def position(self, _tp: TopicPartition) -> int:
        return self.at


async def test_a_position_ahead_of_the_ledger_is_unsettled_only_once_it_stands_still(bench: Bench) -> None:
    async with bench.consuming() as process:
        positions, consumer = Positions(process, "onlooker", bench.topic.name), Consumer()
        positions._partitions.subscriber = SimpleNamespace(consumer=consumer)
        async with process.pool().acquire() as conn:
            await ledger.begin(conn, "onlooker", bench.topic.name, {0: 0}, cluster_id="any")
        before = await positions._probe.rows([0])

        found = []
        for consumer.at in (10, 20, 30, 30):
            found.append(sorted(await positions._unsettled(before, {0: (0, 100)})))

    assert found == [[], [], [], [0]]
