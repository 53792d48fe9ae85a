"""Compressed batches are unfolded as the client does it, up to a bound that costs no more memory than it says."""

import tracemalloc
from typing import Any

import pytest
from aiokafka import codec as client
from aiokafka.record import default_records as plain
from aiokafka.record._crecords import default_records as compiled

from services.kernel.kafka.unfolding import MOST_BYTES, UNFOLDS, UnfoldsTooFar, bound_unfolding

_LARGE_BYTES = 64 * 2**20


def folded(codec: str, value: bytes) -> bytes:
    found: bytes = getattr(client, f"{codec}_encode")(value)
    return found


@pytest.mark.parametrize("codec", UNFOLDS)
@pytest.mark.parametrize("size", [0, 1, 100_000, 5_000_000, MOST_BYTES])
def test_what_is_small_enough_is_unfolded_whole(codec: str, size: int) -> None:
    value = bytes(range(256)) * (size // 256) + bytes(size % 256)

    assert UNFOLDS[codec](memoryview(folded(codec, value))) == value


@pytest.mark.parametrize("codec", UNFOLDS)
def test_what_would_become_larger_is_refused_before_it_does(codec: str) -> None:
    bomb = folded(codec, bytes(_LARGE_BYTES))
    tracemalloc.start()
    try:
        with pytest.raises(UnfoldsTooFar):
            UNFOLDS[codec](bomb)
        assert tracemalloc.get_traced_memory()[1] < 3 * MOST_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("codec", UNFOLDS)
@pytest.mark.parametrize("damage", [lambda whole: whole[: len(whole) // 2], lambda whole: b"\xff" * len(whole)])
def test_what_is_damaged_is_no_batch_that_unfolds_too_far(codec: str, damage: Any) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011  # each codec has an error of its own
        UNFOLDS[codec](damage(folded(codec, b"x" * 10_000)))

    assert not isinstance(raised.value, UnfoldsTooFar)


def test_javas_framing_of_snappy_is_bounded_as_a_whole() -> None:
    block = client.snappy_encode(bytes(MOST_BYTES // 2), xerial_compatible=False)
    head = b"\x82SNAPPY\x00" + bytes(8)
    blocks = [len(block).to_bytes(4) + block] * 3

    assert len(UNFOLDS["snappy"](head + b"".join(blocks[:2]))) == MOST_BYTES
    with pytest.raises(UnfoldsTooFar):
        UNFOLDS["snappy"](head + b"".join(blocks))


def test_members_of_a_gzip_are_bounded_as_a_whole() -> None:
    member = folded("gzip", bytes(MOST_BYTES // 2))

    assert len(UNFOLDS["gzip"](member * 2)) == MOST_BYTES
    with pytest.raises(UnfoldsTooFar):
        UNFOLDS["gzip"](member * 3)


def test_both_readers_of_the_client_look_their_decoders_up_where_ours_are_put() -> None:
    bound_unfolding()

    for reader in (compiled, plain):
        assert {name: getattr(reader, f"{name}_decode") for name in UNFOLDS} == UNFOLDS
