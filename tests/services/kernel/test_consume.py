"""consume: each record once, poison set aside, and the world's moods waited for."""

import random
from collections.abc import Collection, Sequence
from typing import Any

import pytest

from db.pool import Connection
from services.kernel import Record, Retryable
from tests.eventually import eventually
from tests.kernel_bench import Bench, Number

BATCH = 500
_DEEP = b'{"n":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
POISON = {
    "not JSON": b"hello",
    "wrong shape": b'{"m": 1}',
    "refused by a constraint": b'{"n": -1}',
    "refused by its type": b'{"n": 99999999999}',
    "nested 100,000 deep": _DEEP,
}


async def test_each_record_is_applied_once(bench: Bench) -> None:
    async with bench.consuming():
        await bench.send(range(2_000))
        await bench.until("applied", 2_000)
    assert await bench.stored() == list(range(2_000))
    assert await bench.total("redelivered", "dead", "lost", "hollow") == 0


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
    stranger = Record.accepted(
        bench.topic.name, key=b"k", value=b'{"n": 1}', store=__import__("uuid").uuid4(), event="number", origin="shop",
        received_at=bench.process.clock.now(),
    )  # fmt: skip
    async with bench.consuming():
        await bench.send_records([stranger, bench.record(2)])
        await bench.until("consumed", 2)
    assert await bench.stored() == [2]
    assert await bench.dead() == []


@pytest.mark.parametrize("kind", POISON)
@pytest.mark.parametrize("percent", [1, 10, 50, 100])
async def test_poison_is_set_aside_and_the_rest_is_stored(bench: Bench, kind: str, percent: int) -> None:
    chance = random.Random(percent)
    guilty = set(chance.sample(range(BATCH), BATCH * percent // 100))
    if kind == "nested 100,000 deep":
        guilty = set(list(guilty)[:20])
    await bench.send_records([bench.record(n, value=POISON[kind] if n in guilty else None) for n in range(BATCH)])
    async with bench.consuming():
        await bench.until("consumed", BATCH)
    assert await bench.stored() == [n for n in range(BATCH) if n not in guilty]
    letters = await bench.dead()
    assert len(letters) == len(guilty)
    assert all(letter["record_value"] == POISON[kind] and letter["reason"] for letter in letters)


async def test_headers_that_are_no_text_drop_nothing(bench: Bench) -> None:
    odd = bench.record(1)
    odd.headers = (*odd.headers, ("shop", b"\xff\xfe"), ("empty", b""))
    async with bench.consuming():
        await bench.send_records([odd, bench.record(2)])
        await bench.until("consumed", 2)
    assert await bench.stored() == [1, 2]


async def test_a_record_without_a_store_is_a_dead_letter(bench: Bench) -> None:
    nobody = bench.record(1)
    nobody.headers = (("event", b"number"), ("store", b"\xff"))
    async with bench.consuming():
        await bench.send_records([nobody])
        await bench.until("consumed", 1)
    [letter] = await bench.dead()
    assert letter["organization_id"] is None
    assert "store" in letter["reason"]


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
    async with bench.consuming(apply=moody):
        await bench.until("applied", 10)
    assert await bench.stored() == list(range(10))
    assert tries >= 3


async def test_a_missing_column_stops_the_process_and_sets_nothing_aside(bench: Bench) -> None:
    await bench.admin.execute(f"alter table wootstream.{bench.sink} rename n to m")
    await bench.send(range(5))
    async with bench.consuming() as process:
        await eventually(lambda: process.failure is not None)
    assert await bench.dead() == []
    assert await bench.total("consumed") == 0
    await bench.admin.execute(f"alter table wootstream.{bench.sink} rename m to n")
    async with bench.consuming():
        await bench.until("applied", 5)
    assert await bench.stored() == list(range(5))


async def test_a_bug_that_fails_on_every_record_stops_instead_of_setting_all_aside(bench: Bench) -> None:
    async def broken(_conn: Connection, _events: Sequence[Number]) -> Collection[Record]:
        raise AttributeError("no such thing")

    await bench.send(range(50))
    async with bench.consuming(apply=broken) as process:
        await eventually(lambda: process.failure is not None)
    assert await bench.dead() == []


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
