"""consume: each record once, poison set aside, and the world's moods waited for."""

import asyncio
import uuid
from collections.abc import Collection, Sequence
from typing import Any

import pytest

from db.pool import Connection, Pool
from services.kernel import Record, Retryable
from services.kernel.consuming.consume import MAX_POLL_SECONDS, Consumption
from services.kernel.kafka.topics import Admin
from tests.eventually import eventually
from tests.kernel_bench import Ahead, Bench, Number


async def test_each_record_is_applied_once(bench: Bench) -> None:
    async with bench.consuming():
        await bench.send(range(2_000))
        await bench.until("applied", 2_000)
    assert await bench.stored() == list(range(2_000))
    assert await bench.total("redelivered", "dead", "lost", "hollow") == 0


async def test_batches_that_follow_one_another_take_one_call_and_end_with_the_process(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = list[int]()
    handle = Consumption.handle

    async def counted(self: Consumption[Number], raw: Any) -> None:
        await handle(self, raw)
        ended.append(len(raw))

    monkeypatch.setattr(Consumption, "handle", counted)
    await bench.send(range(400))
    bench.settings = bench.settings.model_copy(update={"batch_records": 20})
    async with bench.consuming():
        await bench.until("applied", 400)
    assert await bench.stored() == list(range(400))
    assert sum(ended) < 200


async def test_batches_that_follow_one_another_take_one_connection_and_give_it_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = list[float]()
    acquire = Pool.acquire

    def counted(self: Pool, *, timeout: float | None = None) -> Any:
        taken.append(timeout or 0)
        return acquire(self, timeout=timeout)

    monkeypatch.setattr(Pool, "acquire", counted)
    await bench.send_records([bench.record(n) for n in range(600)])
    bench.settings = bench.settings.model_copy(update={"batch_records": 10})
    async with bench.consuming() as process:
        await bench.until("applied", 600)
        assert len(taken) < 60 / 2  # looks at positions among them
        pool: Any = process.pool()
        await eventually(lambda: pool._pool.get_idle_size() == pool._pool.get_size())
    assert await bench.stored() == list(range(600))


async def test_a_restart_goes_on_where_the_ledger_stands(bench: Bench) -> None:
    async with bench.consuming():
        await bench.send(range(300))
        await bench.until("applied", 300)
    await bench.send(range(300, 600))
    async with bench.consuming():
        await bench.until("applied", 600)
    assert await bench.stored() == list(range(600))


async def test_what_does_not_concern_a_group_is_counted_ignored(bench: Bench) -> None:
    async with bench.consuming():
        await bench.send_records([bench.record(n, event="other" if n % 2 else "number") for n in range(100)])
        await bench.until("consumed", 100)
    assert (await bench.total("ignored"), await bench.total("applied")) == (50, 50)


async def test_a_store_that_is_gone_is_ignored_not_poison(bench: Bench) -> None:
    stranger = bench.record(1)
    stranger.headers = (("event", b"number"), ("store", str(uuid.uuid4()).encode()))
    async with bench.consuming():
        await bench.send_records([stranger, bench.record(2)])
        await bench.until("consumed", 2)
    assert await bench.stored() == [2]
    assert await bench.dead() == []


async def test_a_store_that_goes_while_its_batch_is_applied_is_ignored_not_poison(
    bench: Bench, admin_pool: Pool
) -> None:
    """It was still there when the batch was begun: a foreign key refuses, and whoever tries again asks again."""
    await bench.admin.execute(
        f"alter table wootstream.{bench.sink} add foreign key (organization_id) references public.organizations (id)"
    )

    async def apply(conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        async with admin_pool.acquire() as other:
            await other.execute("delete from public.organizations where id = $1", bench.store)
        return await bench.apply(conn, events)

    await bench.send(range(10))
    async with bench.consuming(apply=apply):
        await bench.until("ignored", 10)
    assert await bench.stored() == []
    assert await bench.dead() == []


async def test_what_is_larger_than_a_batch_in_bytes_goes_by_several_transactions(bench: Bench) -> None:
    bench.settings = bench.settings.model_copy(update={"batch_bytes": 1_000})
    sizes: list[int] = []

    async def noting(conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        sizes.append(sum(len(event.record.value) for event in events))
        return await bench.apply(conn, events)

    padded = [bench.record(n, value=b'{"n": %d, "pad": "%s"}' % (n, b"x" * 200)) for n in range(50)]
    await bench.send_records([*padded, bench.record(50, value=b'{"n": 50, "pad": "%s"}' % (b"x" * 3_000))])
    async with bench.consuming(apply=noting):
        await bench.until("applied", 51)
    assert sorted(sizes)[-1] > 3_000  # a record alone may be larger
    assert sorted(sizes)[-2] <= 1_000


async def test_a_world_that_is_not_ready_gets_the_same_batch_again(bench: Bench) -> None:
    tries = 0

    async def moody(conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        nonlocal tries
        tries += 1
        news = await bench.apply(conn, events)
        if tries < 3:
            raise Retryable("not yet")
        return news

    await bench.send(range(10))
    async with bench.consuming(apply=moody) as process:
        await bench.until("applied", 10)
    assert await bench.stored() == list(range(10))
    counted = {"group": bench.group, "reason": "Retryable"}
    assert process.registry.get_sample_value("wootstream_retries_total", counted) == 2


async def test_a_batch_that_waits_too_long_is_given_back_before_kafka_takes_us_for_dead(bench: Bench) -> None:
    clock, tried = Ahead(), []

    async def moody(conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        tried.append(events[0].record)
        if len(tried) == 1:
            clock.seconds += MAX_POLL_SECONDS / 3
            raise Retryable("not yet")
        return await bench.apply(conn, events)

    await bench.send(range(10))
    async with bench.consuming(apply=moody, clock=clock):
        await bench.until("applied", 10)
    assert await bench.stored() == list(range(10))
    assert tried[0] is not tried[1]  # another delivery, not another try


async def test_what_became_of_records_is_counted_by_store(bench: Bench) -> None:
    records = [bench.record(1), bench.record(2, event="other"), bench.record(None, value=b"hello")]
    async with bench.consuming() as process:
        await bench.send_records(records)
        await bench.until("consumed", 3)
    where = {"group": bench.group, "store": str(bench.store)}
    counted = {
        outcome: process.registry.get_sample_value("wootstream_records_total", where | {"outcome": outcome})
        for outcome in ("applied", "ignored", "dead")
    }
    assert counted == {"applied": 1, "ignored": 1, "dead": 1}
    kinds = {"group": bench.group, "kind": "unreadable"}
    assert process.registry.get_sample_value("wootstream_dead_letters_total", kinds) == 1


async def test_a_bug_on_one_record_costs_one_dead_letter(bench: Bench) -> None:
    async def fragile(conn: Connection, events: Sequence[Number]) -> Any:
        if any(event.n == 7 for event in events):
            raise KeyError("seven")
        return await bench.apply(conn, events)

    await bench.send(range(50))
    async with bench.consuming(apply=fragile):
        await bench.until("consumed", 50)
    [letter] = await bench.dead()
    assert letter["kind"] == "bug"
    assert len(await bench.stored()) == 49


async def test_two_processes_share_a_group_without_doubling(bench: Bench) -> None:
    async with bench.consuming(), bench.consuming():
        await bench.send(range(3_000))
        await bench.until("applied", 3_000)
    assert await bench.stored() == list(range(3_000))


async def test_a_member_with_a_name_of_its_own_keeps_its_place_through_a_stop(bench: Bench) -> None:
    bench.settings = bench.settings.model_copy(update={"group_instance": "pod-0"})
    async with bench.consuming():
        await bench.send(range(10))
        await bench.until("applied", 10)
    async with Admin(bench.settings) as admin:
        [described] = await admin.describe_consumer_groups([bench.group])
    [(_, _, _, _, _, members, *_)] = described.groups
    assert [member[0].startswith(f"pod-0-{bench.group}-") for member in members] == [True]


async def test_a_stop_while_the_world_is_not_ready_does_not_wait_for_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler that waited would be cut off by force, and its call would not come to its end."""
    tried = asyncio.Event()
    calls: list[str] = []
    handle = Consumption.handle

    async def watched(self: Consumption[Number], raw: Any) -> None:
        calls.append("begun")
        await handle(self, raw)
        calls.append("ended")

    monkeypatch.setattr(Consumption, "handle", watched)

    async def never(_conn: Connection, _events: Sequence[Number]) -> Collection[Record]:
        tried.set()
        raise Retryable("not in this test")

    await bench.send(range(10))
    async with bench.consuming(apply=never):
        await tried.wait()
    assert calls[:2] == ["begun", "ended"]
    assert await bench.total("consumed") == 0


async def test_a_stop_under_load_ends_in_time_and_a_restart_goes_on(bench: Bench) -> None:
    async def slow(conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        await conn.execute("select pg_sleep(0.1)")
        return await bench.apply(conn, events)

    await bench.send(range(5_000))
    async with bench.consuming(apply=slow):
        await bench.until("applied", 1)
    stopped_at = await bench.total("applied")
    async with bench.consuming():
        await bench.until("applied", 5_000)
    assert stopped_at < 5_000
    assert await bench.stored() == list(range(5_000))
