"""The batch behind the one in hand: read in advance, applied in its turn, dropped when its partition was moved."""

import asyncio
from collections.abc import Collection, Sequence

from db.pool import Connection
from services.kernel import Record, Retryable
from services.kernel.consuming.consume import MAX_POLL_SECONDS
from tests.eventually import eventually
from tests.kernel_bench import Ahead, Bench, Number, read

_BATCH = 20


class Watched:
    """A bench's reading and applying: what was read so far, and batches that wait until they may go on."""

    def __init__(self, bench: Bench) -> None:
        bench.settings = bench.settings.model_copy(update={"batch_records": _BATCH})
        self._bench = bench
        self.read_so_far: list[int] = []
        self.applied = 0
        self.go_on = asyncio.Event()

    def read(self, record: Record) -> Number | None:
        number = read(record)
        if number:
            self.read_so_far.append(number.n)
        return number

    async def apply(self, conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        await self.go_on.wait()
        self.applied += 1
        return await self._bench.apply(conn, events)


async def test_the_next_batch_is_read_while_one_is_applied_and_no_other_before_its_turn(bench: Bench) -> None:
    watched = Watched(bench)
    await bench.send_records([bench.record(n) for n in range(200)])  # of one key, thus in one partition and its order
    async with bench.consuming(read=watched.read, apply=watched.apply):
        await eventually(lambda: len(watched.read_so_far) == 2 * _BATCH)
        assert await bench.stored() == []
        watched.go_on.set()
        await bench.until("applied", 200)
    assert await bench.stored() == list(range(200))
    assert sorted(watched.read_so_far) == list(range(200))
    assert await bench.total("redelivered", "dead", "lost", "hollow") == 0


async def test_what_was_read_in_advance_goes_with_a_batch_that_is_given_back(bench: Bench) -> None:
    """Its partitions were sought back: applied behind a gap it would have to be settled first."""
    watched, clock = Watched(bench), Ahead()

    async def apply(conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        if len(watched.read_so_far) < 3 * _BATCH:  # those two batches once, and the first a second time
            if len(watched.read_so_far) >= 2 * _BATCH:
                clock.seconds += MAX_POLL_SECONDS
            raise Retryable("not yet")
        return await bench.apply(conn, events)

    await bench.send_records([bench.record(n) for n in range(200)])
    async with bench.consuming(read=watched.read, apply=apply, clock=clock) as process:
        await bench.until("applied", 200)
        settled_first = process.registry.get_sample_value(
            "wootstream_positions_mended_total", {"group": bench.group, "how": "seek-back"}
        )
    assert await bench.stored() == list(range(200))
    assert await bench.total("redelivered", "dead", "lost", "hollow") == 0
    assert not settled_first


async def test_what_cannot_be_read_in_advance_is_set_aside_in_its_turn(bench: Bench) -> None:
    watched = Watched(bench)
    records = [bench.record(n, value=b"{" if n % 10 == 0 else None) for n in range(200)]
    await bench.send_records(records)
    async with bench.consuming(read=watched.read, apply=watched.apply):
        await eventually(lambda: len(watched.read_so_far) > _BATCH)
        assert await bench.dead() == []
        watched.go_on.set()
        await bench.until("consumed", 200)
    assert await bench.stored() == [n for n in range(200) if n % 10]
    assert [one["kind"] for one in await bench.dead()] == ["unreadable"] * 20


async def test_what_was_read_in_advance_is_applied_once_though_its_partition_goes_to_another_process(
    bench: Bench,
) -> None:
    watched = Watched(bench)
    await bench.send(range(1_000))
    async with bench.consuming(read=watched.read, apply=watched.apply):
        await eventually(lambda: len(watched.read_so_far) > _BATCH)
        async with bench.consuming():
            await bench.until("applied", 100)  # by the second one: the first still waits
            watched.go_on.set()
            await bench.until("applied", 1_000)
    assert await bench.stored() == list(range(1_000))
    assert await bench.total("dead", "lost", "hollow") == 0


async def test_a_stop_drops_what_was_read_in_advance_and_a_restart_goes_on(bench: Bench) -> None:
    watched = Watched(bench)
    await bench.send_records([bench.record(n) for n in range(200)])
    async with bench.consuming(read=watched.read, apply=watched.apply) as process:
        await eventually(lambda: len(watched.read_so_far) == 2 * _BATCH)
        process.stopping.set()
        watched.go_on.set()
    assert (await bench.stored(), watched.applied) == (list(range(_BATCH)), 1)
    async with bench.consuming():
        await bench.until("applied", 200)
    assert await bench.stored() == list(range(200))
