"""The probe: what the log and the ledger can do to each other, and what becomes of the position."""

import asyncio
from collections.abc import Collection, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewPartitions, RecordsToDelete

from db.pool import Connection
from services.kernel import Process, Record
from services.kernel.kafka.client import client_options
from services.kernel.kafka.topics import Admin, cluster_id
from tests.eventually import eventually
from tests.kernel_bench import Bench, Number


async def _delete_before(bench: Bench, partition: int, offset: int) -> None:
    async with Admin(bench.settings) as admin:
        await admin.delete_records({TopicPartition(bench.topic.name, partition): RecordsToDelete(before_offset=offset)})


async def _one_partition(bench: Bench, count: int) -> int:
    """Send `count` records with one key; return their partition."""
    [*_, (partition, _)] = await bench.send_records([bench.record(n) for n in range(count + 1)])
    return partition


async def test_a_database_restored_to_an_older_state_catches_up_though_the_topic_is_quiet(bench: Bench) -> None:
    async with bench.consuming():
        await bench.send(range(200))
        await bench.until("applied", 200)
        await bench.admin.execute(
            "update wootstream.ledger set next_offset = first_offset, consumed = 0, applied = 0, anchor_offset = null,"
            " anchor_id = null where consumer_group = $1", bench.group)  # fmt: skip
        await bench.until("applied", 200)
    assert sorted(await bench.stored()) == sorted([*range(200), *range(200)])


async def test_records_lost_to_retention_are_named_and_consumption_goes_on(bench: Bench) -> None:
    async with bench.consuming():
        partition = await _one_partition(bench, 10)
        await bench.until("applied", 11)
    await bench.send_records([bench.record(n) for n in range(100, 120)])
    await _delete_before(bench, partition, 21)
    async with bench.consuming():
        await bench.until("applied lost", 31)
    losses = await bench.admin.fetch("select * from wootstream.losses where consumer_group = $1", bench.group)
    assert [(row["first_offset"], row["next_offset"]) for row in losses] == [(11, 21)]
    assert await bench.total("lost") == 10


async def test_a_loss_is_named_though_nothing_new_comes(bench: Bench) -> None:
    partition = await _one_partition(bench, 10)
    async with bench.consuming():
        await bench.until("applied", 11)
    await bench.send_records([bench.record(n) for n in range(100, 110)])
    await _delete_before(bench, partition, 21)
    async with bench.consuming():
        await bench.until("lost", 10)
    assert (await bench.ledger())[partition]["next_offset"] == 21


async def test_a_topic_made_again_and_shorter_halts_with_the_cure(bench: Bench) -> None:
    async with bench.consuming():
        await _one_partition(bench, 20)
        await bench.until("applied", 21)
    await bench.make_topic_again()
    async with bench.consuming() as process:
        await bench.send_records([bench.record(n) for n in range(1_000, 1_005)])
        await _halted(bench, process)
    assert max(await bench.stored()) == 20


async def test_a_topic_made_again_and_longer_halts_instead_of_skipping(bench: Bench) -> None:
    async with bench.consuming():
        await _one_partition(bench, 20)
        await bench.until("applied", 21)
    await bench.make_topic_again()
    await bench.send_records([bench.record(n) for n in range(1_000, 1_100)])
    async with bench.consuming() as process:
        await _halted(bench, process)
    assert max(await bench.stored()) == 20


async def test_transaction_markers_are_hollow_not_lost(bench: Bench) -> None:
    """Also where the log ends in one, and where a batch begins with one."""
    async with AIOKafkaProducer(**client_options(bench.settings), transactional_id=bench.group) as producer:
        for n in range(20):
            async with producer.transaction():
                one = bench.record(n)
                await producer.send_and_wait(one.topic, one.value, key=b"k", headers=list(one.headers))
    bench.settings = bench.settings.model_copy(update={"batch_records": 7})
    async with bench.consuming():
        await bench.until("applied hollow", 40)
    assert await bench.stored() == list(range(20))
    assert (await bench.total("lost"), await bench.total("hollow")) == (0, 20)


async def test_records_that_somebody_skipped_are_fetched_again(bench: Bench) -> None:
    partition = await _one_partition(bench, 30)
    await bench.admin.execute(
        "insert into wootstream.ledger (consumer_group, topic, partition, cluster_id, first_offset, next_offset)"
        " values ($1, $2, $3, $4, 0, 0)", bench.group, bench.topic.name, partition, await cluster_id(bench.settings),
    )  # fmt: skip
    await _commit(bench, partition, 25)
    async with bench.consuming():
        await bench.until("applied", 31)
    assert await bench.stored() == list(range(31))


async def test_a_ledger_ahead_of_kafka_seeks_forward_instead_of_reading_all_again(bench: Bench) -> None:
    partition = await _one_partition(bench, 2_000)
    async with bench.consuming():
        await bench.until("applied", 2_001)
    await _commit(bench, partition, 0)
    await bench.send_records([bench.record(2_001)])
    async with bench.consuming():
        await bench.until("applied", 2_002)
    assert await bench.total("redelivered") <= bench.settings.batch_records


async def test_partitions_added_are_read(bench: Bench) -> None:
    bench.settings = bench.settings.model_copy(update={"metadata_max_age_seconds": 1})
    async with bench.consuming():
        await bench.send(range(100))
        await bench.until("applied", 100)
        async with Admin(bench.settings) as admin:
            await admin.create_partitions({bench.topic.name: NewPartitions(total_count=6)})
        await _send_to(bench, partition=5, n=100)
        await bench.until("applied", 101)
    assert await bench.stored() == list(range(101))


async def test_lag_is_told_while_a_partition_is_halted_and_to_kafka_where_none_is(bench: Bench) -> None:
    async with bench.consuming():
        partition = await _one_partition(bench, 20)
        await bench.until("applied", 21)
        await eventually(lambda: _committed(bench, partition, 21))
    await bench.make_topic_again()
    await bench.send_records([bench.record(n) for n in range(1_000, 1_100)])
    async with bench.consuming() as process:
        await _halted(bench, process)
        where = {"group": bench.group, "topic": bench.topic.name}
        seconds = await eventually(lambda: process.registry.get_sample_value("wootstream_lag_seconds", where))
        records = process.registry.get_sample_value("wootstream_lag_records", where | {"partition": str(partition)})
    assert seconds is not None
    assert seconds > 0
    assert records == 79  # 100 records, 21 of them below where the ledger stands


async def test_lag_is_told_while_a_batch_waits_for_rows_that_somebody_else_holds(bench: Bench) -> None:
    go_on = asyncio.Event()

    async def waiting(conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        await go_on.wait()
        return await bench.apply(conn, events)

    await bench.send(range(10))
    async with bench.consuming(apply=waiting) as process:
        where = {"group": bench.group, "topic": bench.topic.name}

        def lag() -> float:
            return process.registry.get_sample_value("wootstream_lag_seconds", where) or 0.0

        await eventually(lambda: lag() > 0)
        before = lag()
        await eventually(lambda: lag() > before)
        assert await bench.total("consumed") == 0
        go_on.set()
        await bench.until("applied", 10)


async def _commit(bench: Bench, partition: int, offset: int) -> None:
    tp = TopicPartition(bench.topic.name, partition)
    async with AIOKafkaConsumer(
        **client_options(bench.settings), group_id=bench.group, enable_auto_commit=False
    ) as consumer:
        consumer.assign([tp])
        await consumer.commit({tp: offset})


async def _committed(bench: Bench, partition: int, offset: int) -> bool:
    async with Admin(bench.settings) as admin:
        offsets = await admin.list_consumer_group_offsets(bench.group)
    found = offsets.get(TopicPartition(bench.topic.name, partition))
    return found is not None and found.offset == offset


async def _send_to(bench: Bench, *, partition: int, n: int) -> None:
    """With a producer that is new, so it knows the partition, once the broker does."""
    one = bench.record(n)

    async def sent() -> bool:
        async with AIOKafkaProducer(**client_options(bench.settings)) as producer:
            if known := partition in await producer.partitions_for(one.topic):
                await producer.send_and_wait(one.topic, one.value, partition=partition, headers=list(one.headers))
        return known

    await eventually(sent)


async def _halted(bench: Bench, process: Process) -> None:
    where = {"group": bench.group, "topic": bench.topic.name}
    await eventually(lambda: (process.registry.get_sample_value("wootstream_halted_partitions", where) or 0) > 0)
