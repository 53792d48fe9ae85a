"""Containment: what one store's records raise is that store's; what fails for everybody stands still, ends nothing."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg
import httpx
import pytest
import structlog

from db.pool import Connection
from services.kernel import Process, Record
from services.kernel.clock import Schedule
from tests.eventually import eventually
from tests.kernel_bench import Ahead, Bench, Number, read

# Whatever class a value may raise somewhere in our code or in the driver's.
_RAISED = {
    "TypeError": TypeError("naive and aware"),
    "OverflowError": OverflowError("date value out of range"),
    "RecursionError": RecursionError(),
    "a group of them": ExceptionGroup("both", [KeyError("a"), ExceptionGroup("inner", [ZeroDivisionError()])]),
    "the driver's encoder": asyncpg.DataError("invalid input for query argument $1"),
    "a moment that no clock knows": OSError(75, "Value too large for defined data type"),
    "an error of ours without a class": Exception("?"),
}


@pytest.mark.parametrize(
    ("where", "raised"), [("read", "TypeError"), ("read", "a group of them"), *(("apply", one) for one in _RAISED)]
)
async def test_what_a_stores_records_raise_costs_that_store_alone(bench: Bench, where: str, raised: str) -> None:
    """Of whatever class, in whole batches of it: the others' records of the same batches are applied."""
    error, hostile = _RAISED[raised], await bench.another_store()

    def reading(record: Record) -> Number | None:
        if where == "read" and record.store == hostile:
            raise error
        return read(record)

    async def applying(conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        if where == "apply" and any(event.record.store == hostile for event in events):
            raise error
        return await bench.apply(conn, events)

    poison = [bench.record(1, key=b"%d" % n, store=hostile) for n in range(100)]
    good = [bench.record(n, key=b"%d" % n) for n in range(20)]
    async with bench.consuming(read=reading, apply=applying) as process:
        await bench.send_records(poison)
        await bench.until("dead", 100)  # nobody else has said a word so far
        await bench.send_records([*poison[:50], *good, *poison[50:]])
        await bench.until("consumed", 220)
        assert (process.failure, process.stopping.is_set()) == (None, False)
    assert await bench.stored() == list(range(20))
    assert {letter["organization_id"] for letter in await bench.dead()} == {hostile}


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        OSError("of no number"),
        asyncpg.QueryCanceledError("statement timeout"),
        asyncpg.InterfaceError("odd"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_looks_like_an_outage_and_meets_only_one_record_is_that_records(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("services.kernel.consuming.consume._PAUSES", Schedule((0.0,)))

    async def odd(conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        if any(event.n == 7 for event in events):
            raise error
        return await bench.apply(conn, events)

    await bench.send_records([bench.record(n) for n in range(20)])
    async with bench.consuming(apply=odd):
        await bench.until("consumed", 20)
    assert await bench.stored() == [n for n in range(20) if n != 7]
    assert [(letter["kind"], letter["record_value"]) for letter in await bench.dead()] == [("bug", b'{"n":7}')]


async def test_an_outage_that_meets_every_record_is_waited_for_however_long(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.kernel.consuming.consume._PAUSES", Schedule((0.0,)))
    tries = 0  # it ends in the middle of the search for a guilty record

    async def away(conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        nonlocal tries
        tries += 1
        if tries < 70:
            raise TimeoutError
        return await bench.apply(conn, events)

    await bench.send_records([bench.record(n) for n in range(20)])
    async with bench.consuming(apply=away):
        await bench.until("applied", 20)
    assert (await bench.stored(), await bench.dead()) == (list(range(20)), [])


async def _from_several_stores(bench: Bench, numbers: range) -> list[Record]:
    stores = [bench.store, await bench.another_store(), await bench.another_store()]
    return [bench.record(n, key=b"%d" % n, store=stores[n % 3]) for n in numbers]


class Release:
    """A release of ours, broken until it is mended; `broken` says what it raises."""

    def __init__(self, bench: Bench, error: Exception) -> None:
        self.bench = bench
        self.error: Exception | None = error

    def read(self, record: Record) -> Number | None:
        if isinstance(self.error, KeyError):
            raise self.error
        return read(record)

    async def apply(self, conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        if self.error:
            raise self.error
        return await self.bench.apply(conn, events)


@contextmanager
def _door(process: Process) -> Iterator[httpx.AsyncClient]:
    """An answer of the same process that needs neither Kafka nor PostgreSQL."""

    async def door(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    process.site.door("/door", door)
    yield httpx.AsyncClient(transport=httpx.ASGITransport(process.site), base_url="http://process")


@pytest.mark.parametrize("error", [KeyError("in read"), AttributeError("in apply")], ids=["read", "apply"])
async def test_a_broken_release_stands_still_keeps_all_and_goes_on_by_itself(bench: Bench, error: Exception) -> None:
    release, clock = Release(bench, error), Ahead()
    await bench.send_records(await _from_several_stores(bench, range(60)))
    with structlog.testing.capture_logs() as logs:
        async with bench.consuming(read=release.read, apply=release.apply, clock=clock) as process:
            with _door(process) as client:
                broken = await eventually(lambda: _says(client, "a broken release, nothing was set aside"))
                assert "deploy a release that mends it" in broken
                assert (await client.get("/door")).status_code == 204
                assert (await client.get("/live")).status_code == 200
                assert (await bench.dead(), await bench.total("consumed")) == ([], 0)
                assert _failing(process, bench) >= 1
                release.error = None
                clock.seconds += 100
                await bench.until("applied", 60)
                await eventually(lambda: _is_ready(client))
            assert (process.failure, _failing(process, bench)) == (None, 0)
    assert await bench.stored() == list(range(60))
    assert [one["log_level"] for one in logs if one["event"] == "work_fails"] == ["error"]


async def test_a_missing_grant_is_said_with_its_cure_and_goes_on_once_it_is_given(bench: Bench) -> None:
    clock = Ahead()
    await bench.admin.execute(f"revoke insert on wootstream.{bench.sink} from wootstream_service")
    await bench.send(range(5))
    async with bench.consuming(clock=clock) as process:
        with _door(process) as client:
            sentence = await eventually(lambda: _says(client, "permission denied for table"))
            assert "run `wootstream migrate`" in sentence
        assert (await bench.dead(), await bench.total("consumed")) == ([], 0)
        await bench.admin.execute(f"grant insert on wootstream.{bench.sink} to wootstream_service")
        clock.seconds += 100
        await bench.until("applied", 5)
        assert process.failure is None
    assert await bench.stored() == list(range(5))


async def test_a_partition_that_stands_still_holds_up_no_other_and_goes_on_when_others_show_that_it_works(
    bench: Bench,
) -> None:
    stores, clock = [await bench.another_store() for _ in range(3)], Ahead()

    async def fragile(conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        if any(event.record.store in stores for event in events):
            raise LookupError
        return await bench.apply(conn, events)

    poison = await bench.send_records([bench.record(n, key=b"one", store=stores[n % 3]) for n in range(30)])
    async with bench.consuming(apply=fragile, clock=clock) as process:
        with _door(process) as client:
            await eventually(lambda: _says(client, "a broken release"))
            good = await bench.send_records([bench.record(n, key=b"%d" % n) for n in range(64)])
            await bench.until("applied", sum(partition != poison[0][0] for partition, _ in good))
            assert await bench.dead() == []
            clock.seconds += 100
            await bench.until("consumed", 94)
    assert (await bench.stored(), len(await bench.dead())) == (list(range(64)), 30)


async def _says(client: httpx.AsyncClient, sentence: str) -> str:
    text = (await client.get("/ready")).text
    assert sentence in text
    return text


async def _is_ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/ready")).status_code == 200


def _failing(process: Process, bench: Bench) -> float:
    work = {"work": f"{bench.group} on {bench.topic.name}"}
    return process.registry.get_sample_value("wootstream_work_failing", work) or 0.0
