"""`audit` and `offsets` on real logs: clean, in flight, lost, truncated, halted, and how a halted partition goes on."""

import time
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from services.control.ledger import adoption
from services.kernel.kafka import client
from services.kernel.kafka.topics import Admin, cluster_id
from tests.eventually import eventually
from tests.kernel_bench import Bench
from tests.services.control.verbs import answer, call


async def send(bench: Bench, *numbers: int, at: float | None = None) -> int:
    """Send to one partition, as if `at` that time; answers which."""
    records = [bench.record(n) for n in numbers]
    if at is None:
        [*_, (partition, _)] = await bench.send_records(records)
        return partition
    async with client.producer(bench.settings) as producer:
        for one in records:
            stored = await producer.send_and_wait(
                one.topic, one.value, key=one.key, headers=list(one.headers), timestamp_ms=int(at * 1000)
            )
    return int(stored.partition)


async def consumed(bench: Bench, count: int) -> None:
    async with bench.consuming():
        await bench.until("consumed lost", count)


async def mine(bench: Bench, told: dict[str, Any], partition: int) -> dict[str, Any]:
    (line,) = (one for one in told["topics"] if (one["topic"], one["partition"]) == (bench.topic.name, partition))
    return dict(line)


async def saw_acknowledged(bench: Bench, partition: int, highest: int) -> None:
    """What an ingress process remembers of its own acknowledgements."""
    await bench.admin.execute(
        "insert into wootstream.acknowledged (instance, topic, partition, accepted, highest_offset, cluster_id)"
        " values ('ingress', $1, $2, $3, $3, $4)",
        bench.topic.name, partition, highest, await cluster_id(bench.settings),
    )  # fmt: skip


async def delete_before(bench: Bench, partition: int, offset: int) -> None:
    async with Admin(bench.settings) as admin:
        await admin.delete_records({TopicPartition(bench.topic.name, partition): RecordsToDelete(before_offset=offset)})


async def test_all_that_was_accepted_is_accounted_for_to_the_record_and_from_sql(bench: Bench) -> None:
    partition = await send(bench, *range(30))
    await saw_acknowledged(bench, partition, 29)
    await consumed(bench, 30)

    result = await call("audit")
    line = await mine(bench, told := await answer("audit"), partition)

    assert (result.exit_code, "clean: 0 missing" in result.stdout) == (0, True)
    assert {"missing", "in_flight", "topics"} <= told.keys()
    assert (line["consumed"], line["applied"], line["next_offset"], line["end_offset"]) == (30, 30, 30, 30)
    view = await bench.admin.fetchrow(
        "select sum(missing), sum(not_read), sum(applied) from wootstream.audit where topic = $1", bench.topic.name
    )
    assert tuple(view) == (0, 0, 30)


async def test_what_waits_in_the_log_is_in_flight_and_not_missing(bench: Bench) -> None:
    partition = await send(bench, *range(10))
    await consumed(bench, 10)
    await send(bench, *range(10, 15))

    told = await answer("audit")

    assert (told["missing"], told["clean"], (await mine(bench, told, partition))["in_flight"]) == (0, True, 5)


async def test_what_waits_and_nobody_reads_is_not_clean_and_the_group_is_named(bench: Bench) -> None:
    partition = await send(bench, *range(10))
    await consumed(bench, 10)
    await send(bench, *range(10, 15), at=time.time() - 300)
    await bench.admin.execute("update wootstream.ledger set updated_at = now() - interval '10 minutes'")

    result, told = await call("audit"), await answer("audit")

    assert (result.exit_code, told["missing"], told["clean"]) == (1, 0, False)
    assert (await mine(bench, told, partition))["unread_seconds"] in range(300, 360)
    assert f"unread: 5 records wait in {bench.topic.name} {partition} for {bench.group}, the oldest" in result.stdout


@pytest.mark.parametrize("noticed", [False, True], ids=["not yet noticed", "noticed by the consumer"])
async def test_range_gone_before_it_was_read_is_named(bench: Bench, noticed: bool) -> None:
    partition = await send(bench, *range(10))
    await consumed(bench, 10)
    await send(bench, *range(10, 20))
    await delete_before(bench, partition, 16)
    if noticed:
        await consumed(bench, 20)

    result, told = await call("audit"), await answer("audit")

    assert (result.exit_code, told["missing"]) == (1, 6)
    assert f"{bench.topic.name} {partition}, offsets 10 to 15" in result.stdout


async def test_log_that_ends_below_what_a_door_saw_acknowledged_was_truncated(bench: Bench) -> None:
    partition = await send(bench, *range(10))
    await saw_acknowledged(bench, partition, 13)
    await consumed(bench, 10)

    result, told = await call("audit"), await answer("audit")

    assert (result.exit_code, told["missing"], (await mine(bench, told, partition))["truncated"]) == (1, 4, 4)
    assert f"truncated: {bench.topic.name} {partition} ends at 10, but 4 records beyond it" in result.stdout
    await adoption.adopt(
        bench.settings, group=bench.group, topic=bench.topic.name, partition=partition, at=10, reason="written off"
    )
    after = await answer("audit")
    assert (after["missing"], [(one["first_offset"], one["next_offset"]) for one in after["losses"]]) == (4, [(10, 14)])


async def test_topic_made_again_halts_until_adopted_and_is_then_read_from_its_beginning(bench: Bench) -> None:
    partition = await send(bench, *range(20))
    await consumed(bench, 20)
    await bench.make_topic_again()
    await send(bench, *range(100, 105))
    where = ("--group", bench.group, "--topic", bench.topic.name, "--partition", str(partition))

    async with bench.consuming() as process:
        halted = process.metrics.halted.labels(bench.group, bench.topic.name)
        await eventually(lambda: halted._value.get() > 0)
        result = await call("audit")
        dry = await call("offsets", "adopt", *where, "--dry-run")
        still = await bench.stored()
        await call("offsets", "adopt", *where, "--yes", "--reason", "the topic was made again")
        await bench.until("applied", 5)

    assert (result.exit_code, f"wootstream offsets adopt {' '.join(where)}" in result.stdout) == (1, True)
    assert (dry.exit_code, still) == (0, list(range(20)))
    assert await bench.stored() == [*range(20), *range(100, 105)]
    assert (await answer("audit"))["clean"]
    closed = await bench.admin.fetchrow("select next_offset, closed_because from wootstream.ledger_history")
    assert tuple(closed) == (20, "the topic was made again")


async def test_topic_made_again_and_longer_is_recognised_by_the_record_at_the_anchor(bench: Bench) -> None:
    await send(bench, *range(20))
    await consumed(bench, 20)
    await bench.make_topic_again()
    partition = await send(bench, *range(100, 130))

    told = await answer("audit")

    line = await mine(bench, told, partition)
    assert "another record stands at offset 19" in line["halted"]
    assert (told["clean"], line["applied"]) == (False, 20)


async def test_adopting_ahead_gives_up_a_range_and_the_audit_keeps_saying_so(bench: Bench) -> None:
    partition = await send(bench, *range(10))
    await consumed(bench, 10)
    await send(bench, *range(10, 20))

    await adoption.adopt(
        bench.settings, group=bench.group, topic=bench.topic.name, partition=partition, at=18, reason="poison"
    )
    await consumed(bench, 2)

    told = await answer("audit")
    assert (told["missing"], [(one["first_offset"], one["next_offset"]) for one in told["losses"]]) == (8, [(10, 18)])
    assert await bench.stored() == [*range(10), 18, 19]


async def test_offsets_show_tells_where_each_group_stands(bench: Bench) -> None:
    partition = await send(bench, *range(5))
    await consumed(bench, 5)
    lines = {one["partition"]: one for one in await answer("offsets", "show", "--group", bench.group)}
    assert [lines[partition][name] for name in ("next_offset", "end_offset", "halted")] == [5, 5, None]
    assert bench.topic.name in (await call("offsets", "show")).stdout
