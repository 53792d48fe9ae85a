"""The probe: what the log and the ledger can do to each other, and what becomes of the position."""

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from services.kernel.topics import Admin, client_options, ensure_topics
from tests.eventually import eventually
from tests.kernel_bench import Bench


async def _delete_before(bench: Bench, partition: int, offset: int) -> None:
    async with Admin(bench.settings) as admin:
        await admin.delete_records({TopicPartition(bench.topic.name, partition): RecordsToDelete(before_offset=offset)})


async def _one_partition(bench: Bench, count: int) -> int:
    """Send `count` records with one key; return their partition."""
    await bench.send_records([bench.record(n) for n in range(count)])
    return (await bench.process.publisher.publish(bench.record(count)))[0]


async def test_a_database_restored_to_an_older_state_catches_up_though_the_topic_is_quiet(bench: Bench) -> None:
    async with bench.consuming():
        await bench.send(range(200))
        await bench.until("applied", 200)
        await bench.admin.execute(
            "update wootstream.ledger set next_offset = first_offset, consumed = 0, applied = 0, anchor_offset = null, anchor_id = null "
            "where consumer_group = $1", bench.group)  # fmt: skip
        await bench.until("applied", 200, seconds=30)
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
        await bench.admin.execute("select 1")
    await bench.send_records([bench.record(n) for n in range(100, 110)])
    await _delete_before(bench, partition, 21)
    async with bench.consuming():
        await bench.until("lost", 10, seconds=20)
    assert (await bench.ledger())[partition]["next_offset"] == 21


async def test_a_topic_made_again_and_shorter_halts_with_the_cure(bench: Bench) -> None:
    async with bench.consuming():
        await _one_partition(bench, 20)
        await bench.until("applied", 21)
    await _make_again(bench)
    async with bench.consuming() as process:
        await bench.send_records([bench.record(n) for n in range(1_000, 1_005)])
        await _halted(bench, process)
    assert max(await bench.stored()) == 20


async def test_a_topic_made_again_and_longer_halts_instead_of_skipping(bench: Bench) -> None:
    async with bench.consuming():
        await _one_partition(bench, 20)
        await bench.until("applied", 21)
    await _make_again(bench)
    await bench.send_records([bench.record(n) for n in range(1_000, 1_100)])
    async with bench.consuming() as process:
        await _halted(bench, process)
    assert max(await bench.stored()) == 20


async def test_transaction_markers_are_hollow_not_lost(bench: Bench) -> None:
    producer = AIOKafkaProducer(**client_options(bench.settings), transactional_id=bench.group)
    await producer.start()
    for n in range(20):
        async with producer.transaction():
            one = bench.record(n)
            await producer.send_and_wait(one.topic, value=one.value, key=b"k", headers=list(one.headers))
    await producer.stop()
    async with bench.consuming():
        await bench.until("applied hollow", 40)
    assert await bench.stored() == list(range(20))
    assert (await bench.total("lost"), await bench.total("hollow")) == (0, 20)


async def test_records_that_somebody_skipped_are_fetched_again(bench: Bench) -> None:
    """A ledger ahead of nothing: the group's committed offset lies beyond it, as after a restored database."""
    partition = await _one_partition(bench, 30)
    async with Admin(bench.settings) as admin:
        del admin  # the cluster answers
    from aiokafka import AIOKafkaConsumer

    committer = AIOKafkaConsumer(**client_options(bench.settings), group_id=bench.group, enable_auto_commit=False)
    await committer.start()
    tp = TopicPartition(bench.topic.name, partition)
    committer.assign([tp])
    await committer.commit({tp: 25})
    await committer.stop()
    await bench.admin.execute(
        "insert into wootstream.ledger (consumer_group, topic, partition, cluster_id, first_offset, next_offset) values ($1, $2, $3, $4, 0, 0)",
        bench.group, bench.topic.name, partition, await _cluster(bench),
    )  # fmt: skip
    async with bench.consuming():
        await bench.until("applied", 31)
    assert await bench.stored() == list(range(31))


async def test_partitions_added_are_read(bench: Bench) -> None:
    from aiokafka.admin import NewPartitions

    async with bench.consuming():
        await bench.send(range(100))
        await bench.until("applied", 100)
        async with Admin(bench.settings) as admin:
            await admin.create_partitions({bench.topic.name: NewPartitions(total_count=6)})
        await bench.process.publisher._producer.client.force_metadata_update()
        await bench.send(range(100, 300))
        await bench.until("applied", 300, seconds=60)
    assert await bench.stored() == list(range(300))


async def _cluster(bench: Bench) -> str:
    from services.kernel.topics import cluster_id

    return await cluster_id(bench.settings)


async def _make_again(bench: Bench) -> None:
    await bench.delete_topic()

    async def made() -> bool:
        return bench.topic.name in await ensure_topics(bench.settings, [bench.topic])

    await eventually(made)
    await bench.process.publisher._producer.client.force_metadata_update()


async def _halted(bench: Bench, process: object) -> None:
    metric = process.metrics.halted.labels(bench.group, bench.topic.name)  # type: ignore[attr-defined]
    await eventually(lambda: metric._value.get() > 0, seconds=20)
