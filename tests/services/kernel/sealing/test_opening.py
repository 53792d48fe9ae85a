"""What a consumer makes of sealed records: opened, forgotten, waited for a while, set aside; nobody else waits long."""

import random
from datetime import UTC, datetime, timedelta

from db.pool import PRIVACY, scoped
from db.privacy import seals
from services.kernel import Process, Record
from services.kernel.forgetting.subjects import Pseudonyms, Subject
from services.kernel.sealing.opening import PATIENCE_SECONDS
from services.kernel.sealing.planting import KEPT, tend
from services.kernel.sealing.shredding import shred
from tests.eventually import eventually
from tests.kernel_bench import Ahead, Bench
from tests.services.kernel.sealing.sealed_bench import sealer_of

_ANNA, _BEN = Subject("customer", "anna"), Subject("customer", "ben")


async def _shred(bench: Bench, *subjects: Subject, until: datetime | None = None) -> int:
    process = Process(bench.settings)
    digests = Pseudonyms(process.secrets).of_all(bench.store, subjects)
    try:
        async with scoped(process.pool(PRIVACY), {bench.store}) as conn:
            moment = until or process.clock.now() + timedelta(seconds=1)
            return await shred(conn, bench.store, process.secrets, dict.fromkeys(digests, moment))
    finally:
        await process.close()


async def test_sealed_and_plain_records_are_applied_side_by_side_and_forgotten_ones_ignored(bench: Bench) -> None:
    sealer = await sealer_of(bench)
    await bench.send_records([sealer.sealed(bench.record(1), [_ANNA]), sealer.sealed(bench.record(2), [_BEN])])
    await bench.send([3])
    await _shred(bench, _ANNA)
    async with bench.consuming():
        await bench.until("consumed", 3)
    assert await bench.stored() == [2, 3]
    assert (await bench.total("ignored"), await bench.total("dead")) == (1, 0)


async def test_what_is_set_aside_stays_sealed(bench: Bench) -> None:
    sealer = await sealer_of(bench)
    poison = sealer.sealed(bench.record(None, value=b'{"n": -1, "email": "anna@x.nl"}'), [_ANNA])
    async with bench.consuming():
        await bench.send_records([poison])
        await bench.until("consumed", 1)
    [letter] = await bench.dead()
    assert (letter["kind"], letter["record_value"]) == ("refused", poison.value)


async def test_a_key_that_postgresql_does_not_know_yet_is_waited_for(bench: Bench) -> None:
    sealer = await sealer_of(bench)
    rows = await bench.admin.fetch(
        "delete from wootstream.seal_trees where organization_id = $1 returning *", bench.store
    )
    async with bench.consuming() as process:
        await bench.send_records([sealer.sealed(bench.record(1), [_ANNA])])
        retries = process.metrics.retries.labels(bench.group, "Retryable")
        await eventually(lambda: retries._value.get() > 0)
        for row in rows:
            await bench.admin.execute("insert into wootstream.seal_trees values ($1, $2, $3, $4, $5)", *row.values())
        await bench.until("consumed", 1)
    assert await bench.stored() == [1]


async def test_one_that_nobody_tells_is_set_aside_and_the_others_go_on(bench: Bench) -> None:
    sealer, clock = await sealer_of(bench), Ahead()
    await bench.admin.execute("delete from wootstream.seal_trees where organization_id = $1", bench.store)
    async with bench.consuming(clock=clock) as process:
        await bench.send_records([sealer.sealed(bench.record(1), [_ANNA])])
        await bench.send([2])
        retries = process.metrics.retries.labels(bench.group, "Retryable")
        await eventually(lambda: retries._value.get() > 0)
        clock.seconds = PATIENCE_SECONDS
        await bench.until("consumed", 2)
    [letter] = await bench.dead()
    assert "dead-letters redrive" in letter["reason"]
    assert await bench.stored() == [2]


async def test_what_is_no_seal_of_ours_is_set_aside(bench: Bench) -> None:
    sealer = await sealer_of(bench)
    forged, moved = bench.record(1), sealer.sealed(bench.record(2), [_ANNA])
    forged.headers = (("sealed", b"x"), *forged.headers)
    moved.value = sealer.sealed(bench.record(3), [_ANNA]).value
    async with bench.consuming():
        await bench.send_records([forged, moved])
        await bench.until("dead", 2)
    assert await bench.stored() == []


async def test_months_are_planted_ahead_once_and_destroyed_when_their_time_is_over(bench: Bench) -> None:
    await sealer_of(bench)
    process = Process(bench.settings)
    try:
        async with scoped(process.pool(PRIVACY), {bench.store}) as conn:
            now = process.clock.now()
            assert not await tend(conn, bench.store, process.secrets, now)
            assert await tend(conn, bench.store, process.secrets, now + KEPT + timedelta(days=31))
            left = {row["begins_at"] for row in await seals.of_store(conn, bench.store)}
        assert min(left) > now
        assert len(left) >= 4
    finally:
        await process.close()
    # Nothing that was sealed with the first can be opened, and it is no poison.
    gone = await bench.admin.fetchval(
        "select count(*) from wootstream.seal_trees where organization_id = $1 and tree is null", bench.store
    )
    assert gone >= 1


async def test_in_any_order_of_sealing_erasing_and_reading_again_only_the_forgotten_stay_shut(bench: Bench) -> None:
    """Against the rule itself: a sealed record opens unless one of its people was erased in its second or later."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance, people = random.Random(seed), [Subject("customer", f"c{number}") for number in range(4)]
    sealer, at = await sealer_of(bench), datetime.now(UTC).replace(microsecond=0)
    records: list[tuple[Record, datetime, list[Subject], bool]] = []
    erased: dict[Subject, datetime] = {}
    process, seals_now = Process(bench.settings), True
    try:
        for _ in range(60):
            act = chance.choice(["take", "take", "take", "switch", "erase", "read", "wait", "poll"])
            if act == "take":
                about = chance.sample(people, chance.randint(0, 2))
                plain = Record.accepted(bench.topic.name, key=b"k", value=b"{}", store=bench.store, event="e",
                                        origin="shop", received_at=at)  # fmt: skip
                records.append((sealer.sealed(plain, about) if seals_now else plain, at, about, seals_now))
            elif act == "switch":
                seals_now = not seals_now
            elif act == "wait":
                at += timedelta(seconds=chance.randint(1, 5_000))
            elif act == "poll":  # until then the door goes on with what it has
                sealer = await sealer_of(bench)
            elif act == "erase":
                one = chance.choice(people)
                await _shred(bench, one, until=at)
                erased[one] = max(at, erased.get(one, at))
            else:
                await _read_again(process, bench, records, erased)
        await _read_again(process, bench, records, erased)
    finally:
        await process.close()


async def _read_again(
    process: Process,
    bench: Bench,
    records: list[tuple[Record, datetime, list[Subject], bool]],
    erased: dict[Subject, datetime],
) -> None:
    copies = [
        (Record(one.topic, one.key, one.value, one.headers), at, about, sealed) for one, at, about, sealed in records
    ]
    async with scoped(process.pool(), {bench.store}) as conn:
        unopened = await process.opener.open(conn, [one for one, *_ in copies], {str(bench.store)})
    assert not unopened.bad
    for one, at, about, sealed in copies:
        gone = sealed and any(at <= erased[name] for name in about if name in erased)
        assert (one in unopened.forgotten) is gone
        assert gone or one.value == b"{}"
