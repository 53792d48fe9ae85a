"""Adopting a log: where the group goes on, and what it gives up for good."""

from typing import Any

import pytest

from db.pool import Row
from services.control.ledger.adoption import planned
from services.kernel import Refusal
from tests.unit.control.ledger.ledgers import KEY, acknowledged, ledger_row, seen

_ASKED: dict[str, Any] = {"group": KEY[0], "topic": KEY[1]}
_MADE_AGAIN = ledger_row(next_=20)
_MOVED = ledger_row(next_=20, cluster_id="there")


@pytest.mark.parametrize(
    ("row", "log", "held", "at", "given_up"),
    [
        pytest.param(_MADE_AGAIN, (0, 5), acknowledged(20), None, (), id="all of the old log was read"),
        pytest.param(_MADE_AGAIN, (0, 5), acknowledged(23), None, ((20, 23),), id="three of the old log were not"),
        pytest.param(_MADE_AGAIN, (0, 5), [], 4, ((0, 4),), id="begin behind what the new one holds"),
        pytest.param(_MOVED, (0, 50), acknowledged(23, cluster_id="there"), None, ((20, 23),), id="of the old cluster"),
        pytest.param(_MOVED, (0, 50), acknowledged(50), None, (), id="the new cluster's records are all ahead"),
        pytest.param(ledger_row(next_=20), (0, 30), [], 0, (), id="read it all again"),
        pytest.param(ledger_row(next_=20), (0, 30), [], 25, ((20, 25),), id="jump over five"),
        pytest.param(ledger_row(next_=20), (0, 30), acknowledged(33), 20, ((30, 33),), id="write off what was cut"),
    ],
)
def test_adoption_gives_up_what_nobody_will_read_and_no_more(
    row: Row, log: tuple[int, int], held: list[Row], at: int | None, given_up: tuple[tuple[int, int], ...]
) -> None:
    (one,) = planned(seen([row], log, acknowledged=held), **_ASKED, partition=KEY[2], at=at)
    assert (one.next_offset, one.at, one.given_up) == (20, log[0] if at is None else at, given_up)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"group": "nobody"}, "the ledger has no group nobody"),
        ({"partition": 7}, "has not read partition 7"),
        ({}, "is halted for figures: name one with --partition"),
        ({"at": 3}, "name it with --partition"),
        ({"partition": 0, "at": 31}, "lies outside the log, which holds 2 to 30"),
    ],
)
def test_adoption_that_cannot_be_meant_is_refused_with_the_cure(asked: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        planned(seen([ledger_row(next_=20)], (2, 30)), **(_ASKED | asked))
