"""Whose fault it is: one store's poison is set aside without end, and several stores' failures are a broken release."""

import uuid
from collections.abc import Sequence

import pytest

from services.kernel import Record
from services.kernel.consuming.suspicion import Suspicion
from services.kernel.errors import Broken

A, B, C = (uuid.UUID(int=number) for number in (1, 2, 3))


def _settle(suspicion: Suspicion, stores: Sequence[uuid.UUID], *, worked: bool = False) -> None:
    """One batch in which records of these stores fail in our own code."""
    bugs = [(Record("t", None, b"", (("store", str(one).encode()),)), KeyError("x")) for one in stores]
    suspicion.weigh(bugs, worked=worked)
    suspicion.note(bugs, worked=worked)


def test_one_stores_poison_is_that_stores_however_much_of_it_there_is() -> None:
    suspicion = Suspicion()
    for _ in range(50):
        _settle(suspicion, [A] * 500)
    _settle(suspicion, [B, A, B])  # an odd record or two beside it


def test_failures_of_several_stores_over_several_batches_are_a_broken_release() -> None:
    suspicion = Suspicion()
    _settle(suspicion, [A] * 9)
    _settle(suspicion, [B])
    _settle(suspicion, [C])
    with pytest.raises(Broken, match="records of 3 stores fail in our own code"):
        _settle(suspicion, [B])


def test_what_stands_still_is_not_counted_again_with_each_try_and_ends_with_a_success_elsewhere() -> None:
    suspicion, batch = Suspicion(), [A, B, C] * 10
    for _ in range(3):
        with pytest.raises(Broken, match="records of 3 stores"):
            _settle(suspicion, batch)
    _settle(suspicion, batch, worked=True)
    _settle(suspicion, [A] * 9)


def test_a_success_makes_what_failed_before_an_odd_record() -> None:
    suspicion = Suspicion()
    for store in (A, B, C) * 20:
        _settle(suspicion, [store] * 9)
        _settle(suspicion, [], worked=True)
