"""Poison: of any kind and any share, it costs rows with a reason, and the good records are stored."""

import random

import pytest

from services.kernel import Invalid
from services.kernel.kafka.unfolding import MOST_BYTES, UNFOLDS
from tests.foreign import send_folded, send_with_bytes_for
from tests.kernel_bench import Bench

_BATCH = 100
_MEGABYTE = 2**20
_DEEP = b'{"n":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
# kind: value, value of the `store` header or None for the bench's own, what the reason says
POISON = {
    "not JSON": (b"hello", None, "Invalid JSON"),
    "wrong shape": (b'{"m": 1}', None, "n: Field required"),
    "refused by a constraint": (b'{"n": -1}', None, "CheckViolation (23514)"),
    "refused by its type": (b'{"n": 99999999999}', None, "Data (22000)"),
    "nested 100,000 deep": (_DEEP, None, "recursion limit exceeded"),
    "header that is no text": (b'{"n": 1}', b"\xff\xfe", "`store` header"),
}


@pytest.mark.parametrize("kind", POISON)
async def test_poison_is_set_aside_with_a_reason_and_the_rest_is_stored(bench: Bench, kind: str) -> None:
    value, store, reason = POISON[kind]
    chance, sent, good = random.Random(kind), 0, []
    async with bench.consuming():
        for percent in (1, 10, 50, 100):
            guilty = set(chance.sample(range(_BATCH), _BATCH * percent // 100))
            records = [bench.record(sent + n, value=value if n in guilty else None) for n in range(_BATCH)]
            for one in (records[n] for n in guilty if store):
                one.headers = (("event", b"number"), ("store", store or b""))
            await bench.send_records(records)
            good += [sent + n for n in range(_BATCH) if n not in guilty]
            sent += _BATCH
            await bench.until("consumed", sent)
    assert await bench.stored() == good
    letters = await bench.dead()
    assert len(letters) == sent - len(good)
    assert all(letter["record_value"] == value and reason in letter["reason"] for letter in letters)


async def test_headers_that_are_no_text_drop_nothing(bench: Bench) -> None:
    odd = bench.record(1)
    odd.headers = (*odd.headers, ("shop", b"\xff\xfe"), ("empty", b""))
    async with bench.consuming():
        await bench.send_records([odd, bench.record(2)])
        await bench.until("consumed", 2)
    assert await bench.stored() == [1, 2]


async def test_header_keys_that_are_no_text_cost_the_neighbours_nothing(bench: Bench) -> None:
    extra, without_store = bench.record(2), bench.record(3)
    extra.headers = (*extra.headers, ("odd", b"shop"))
    without_store.headers = (("event", b"number"), ("odd", b"store"))
    async with bench.consuming():
        batch = [bench.record(1), extra, without_store, bench.record(4)]
        await send_with_bytes_for("odd", b"\xff\0\xfe", bench.settings, batch, 0)
        await bench.until("consumed", 4)
    assert await bench.stored() == [1, 2, 4]
    [letter] = await bench.dead()
    assert letter["reason"] == "the `store` header is missing or is no UUID"
    assert letter["record_headers"] == [["event", "number"], [r"\xff\0\xfe", "store"]]


@pytest.mark.parametrize("codec", UNFOLDS)
async def test_batch_that_unfolds_too_far_is_passed_by_and_its_neighbours_are_stored(bench: Bench, codec: str) -> None:
    number = 1 + MOST_BYTES // _MEGABYTE
    async with bench.consuming():
        await bench.send_records([bench.record(1)])
        await send_folded(codec, bytes(_MEGABYTE), number, bench.settings, bench.record(1).topic, 0)
        await bench.send_records([bench.record(2)])
        await bench.until("consumed", 3)
    assert await bench.stored() == [1, 2]


async def test_a_record_with_such_a_key_at_the_anchor_is_recognised_at_the_next_start(bench: Bench) -> None:
    last = bench.record(1)
    last.headers = (*last.headers, ("odd", b"shop"))
    async with bench.consuming():
        await send_with_bytes_for("odd", b"\xff\xff\xfe", bench.settings, [last], 0)
        await bench.until("consumed", 1)
    async with bench.consuming():
        await send_with_bytes_for("odd", b"\xff\xff\xfe", bench.settings, [bench.record(2)], 0)
        await bench.until("consumed", 2)
    assert await bench.stored() == [1, 2]


async def test_what_a_letter_quotes_cannot_poison_its_own_row(bench: Bench) -> None:
    hostile = bench.record(None, value=b"hello")
    hostile.headers = (*hostile.headers, ("nul", b"\0"), ("escaped", rb"\u0000"), ("odd\0", b"\xed\xa0\x80"))
    async with bench.consuming():
        await bench.send_records([hostile, bench.record(2)])
        await bench.until("consumed", 2)
    [letter] = await bench.dead()
    assert letter["record_headers"][-3:] == [["nul", "\\0"], ["escaped", r"\u0000"], ["odd\\0", r"\xed\xa0\x80"]]


async def test_a_bug_whose_words_hold_a_nul_is_set_aside_too(bench: Bench) -> None:
    async def quoting(_conn: object, _events: object) -> set[object]:
        raise Invalid("a \0 and a \ud800")

    await bench.send([1])
    async with bench.consuming(apply=quoting):
        await bench.until("consumed", 1)
    [letter] = await bench.dead()
    assert letter["reason"] == r"a \0 and a \ud800"


async def test_an_unreadable_record_of_an_unknown_store_is_set_aside(bench: Bench) -> None:
    stranger = bench.record(None, value=b"hello")
    stranger.headers = (("event", b"number"), ("store", b"0190f000-0000-7000-8000-000000000000"))
    async with bench.consuming():
        await bench.send_records([stranger])
        await bench.until("consumed", 1)
    [letter] = await bench.dead()
    assert str(letter["organization_id"]) == "0190f000-0000-7000-8000-000000000000"
