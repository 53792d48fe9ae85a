"""Which positions are worth asking the log about."""

from types import SimpleNamespace

from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions

from db.records import ledger
from services.kernel.consuming.positions import Positions
from services.kernel.kafka.topics import Admin
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


async def test_partitions_added_after_all_static_members_came_back_are_read(bench: Bench) -> None:
    """They find the assignment that the last leader made, and none of them would look for more partitions."""
    bench.settings = bench.settings.model_copy(update={"group_instance": "pod-0", "metadata_max_age_seconds": 0.5})
    async with bench.consuming():
        await bench.send(range(64))
        await bench.until("applied", 64)
    async with bench.consuming():
        await bench.send(range(64, 128))
        await bench.until("applied", 128)
        async with Admin(bench.settings) as admin:
            await admin.create_partitions({bench.topic.name: NewPartitions(total_count=8)})
        await bench.connect()
        await bench.send(range(128, 256))
        await bench.until("applied", 256)
        assert (await bench.ledger()).keys() == set(range(8))


async def test_partitions_added_while_all_static_members_were_down_are_read(bench: Bench) -> None:
    """Kafka gives them back the assignment of before, which knows nothing of the new ones."""
    bench.settings = bench.settings.model_copy(update={"group_instance": "pod-0", "metadata_max_age_seconds": 0.5})
    async with bench.consuming():
        await bench.send(range(64))
        await bench.until("applied", 64)
    async with Admin(bench.settings) as admin:
        await admin.create_partitions({bench.topic.name: NewPartitions(total_count=8)})
    await bench.connect()
    await bench.send(range(64, 256))
    async with bench.consuming():
        await bench.until("applied", 256)
        assert (await bench.ledger()).keys() == set(range(8))
