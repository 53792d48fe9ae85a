"""The audit's sums count records: one that several groups lack is one."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from services.control.ledger.answer import Audit, AuditLine, Loss

_NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def line(group: str, partition: int = 0, **columns: Any) -> AuditLine:
    zeros = dict.fromkeys((field.name for field in fields(AuditLine)), 0)
    return AuditLine(**(zeros | {"group": group, "topic": "t", "partition": partition, "halted": None} | columns))


def cut(group: str, next_: int, truncated: int, partition: int = 0) -> AuditLine:
    """A log that ends at 100, below what its door saw acknowledged."""
    return line(group, partition, next_offset=next_, end_offset=100, truncated=truncated)


def loss(group: str, first: int, next_: int) -> Loss:
    return Loss(group, "t", 0, first, next_, _NOON)


@pytest.mark.parametrize(
    ("lines", "losses", "missing"),
    [
        ([cut("a", 90, 10), cut("b", 90, 10)], [], 10),
        ([cut("a", 90, 10), cut("b", 105, 5)], [], 10),
        ([cut(group, 90, 10, partition) for group in ("a", "b") for partition in (0, 1)], [], 20),
        ([line("a", begin_offset=50, unreachable=20), line("b", begin_offset=50, unreachable=5)], [], 20),
        ([], [loss("a", 10, 14), loss("b", 10, 14)], 4),
        ([], [loss("a", 10, 14), loss("b", 12, 18)], 8),
        ([], [loss("a", 10, 14), loss("a", 10, 14)], 8),  # the second of another log of that name
        ([line("a", begin_offset=14, unreachable=4)], [loss("b", 10, 14)], 4),
    ],
    ids=["two groups", "one further", "two partitions", "not reached", "lost", "overlapping", "two logs", "mixed"],
)  # fmt: skip
def test_a_record_that_several_groups_never_read_is_missing_once(
    lines: list[AuditLine], losses: list[Loss], missing: int
) -> None:
    assert Audit(lines, losses).missing == missing


def test_a_record_that_several_groups_have_yet_to_read_is_in_flight_once() -> None:
    lines = [line("a", end_offset=100, in_flight=10), line("b", end_offset=100, in_flight=30)]
    assert Audit(lines, []).in_flight == 30
