"""The audit's arithmetic: what is missing, in flight or halted, from what ledger, logs and doors say."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.pool import Row
from services.control.ledger.answer import Audit, AuditLine
from services.control.ledger.reckoning import Observation, next_unread, reckon, with_waits
from services.control.ledger.topic_logs import Cluster, Log
from tests.unit.control.ledger.ledgers import KEY, NOON, acknowledged, ledger_row, seen

_OFFSETS = st.integers(0, 60)


def only(look: Observation) -> AuditLine:
    (line,) = reckon(look)
    return line


@given(st.lists(_OFFSETS, min_size=3, max_size=3).map(sorted), _OFFSETS)
def test_sound_log_misses_nothing_whatever_is_still_in_flight(offsets: list[int], door: int) -> None:
    begin, next_, end = offsets
    line = only(seen([ledger_row(next_=next_)], (begin, end), acknowledged=acknowledged(min(door, end))))
    assert (line.in_flight, line.unreachable, line.truncated, line.halted) == (end - next_, 0, 0, None)
    assert Audit([line], []).clean


@given(end=_OFFSETS, next_=_OFFSETS, door=_OFFSETS)
def test_what_doors_saw_acknowledged_is_read_or_in_the_log_or_named_missing(end: int, next_: int, door: int) -> None:
    line = only(seen([ledger_row(next_=next_)], (0, end), acknowledged=acknowledged(door)))
    assert line.truncated == len(set(range(door)) - set(range(end)) - set(range(next_)))
    assert (line.halted is not None) == (end < next_)


@given(begin=_OFFSETS, next_=_OFFSETS, later=_OFFSETS)
def test_range_gone_before_it_was_read_is_missing_unless_a_consumer_named_it_meanwhile(
    begin: int, next_: int, later: int
) -> None:
    line = only(seen([ledger_row(next_=next_)], (begin, 60), later=later))
    assert line.unreachable == max(0, begin - max(next_, later))


@pytest.mark.parametrize(
    ("row", "log", "reason"),
    [
        (ledger_row(next_=5, cluster_id="there"), (7, 9), "another Kafka cluster"),
        (ledger_row(next_=5), None, "no such topic"),
        (ledger_row(next_=5), (0, 4), "below 5"),
        (ledger_row(next_=5, anchor_offset=4), (0, 9), "another record stands at offset 4"),
    ],
)
def test_another_log_halts_and_is_not_called_missing(row: Row, log: tuple[int, int] | None, reason: str) -> None:
    line = only(seen([row], log, strangers=row["anchor_offset"] is not None))
    assert reason in str(line.halted)
    assert line.unreachable == line.truncated == 0
    assert not Audit([line], []).clean


def test_what_was_acknowledged_before_an_adoption_belongs_to_the_old_log() -> None:
    closed = [{"consumer_group": KEY[0], "topic": KEY[1], "partition": KEY[2], "closed_at": NOON}]
    assert only(seen([ledger_row()], (0, 3), acknowledged=acknowledged(50), closed=closed)).truncated == 0


@pytest.mark.parametrize(("cluster", "missing"), [("here", 2), (None, 2), ("there", 0)])
def test_door_counts_for_the_log_of_its_cluster_and_where_it_could_not_ask(cluster: str | None, missing: int) -> None:
    held = acknowledged(5, cluster_id=cluster)
    assert only(seen([ledger_row()], (0, 3), acknowledged=held)).truncated == missing


def test_partition_that_a_group_has_yet_to_see_is_in_flight_for_it_and_for_nobody_where_none_reads() -> None:
    rows = [ledger_row(partition=1)]
    logs = {("webhooks", 0): Log(2, 5), ("shop", 0): Log(0, 4)}
    look = Observation(rows, [], [], Cluster("here", logs), {}, frozenset(), NOON)
    lines = {(line.group, line.topic, line.partition): line.in_flight for line in reckon(look)}
    assert lines == {("figures", "webhooks", 0): 3, (None, "shop", 0): 4, ("figures", "webhooks", 1): 0}


@pytest.mark.parametrize(
    ("written", "moved", "seconds"),
    [
        (timedelta(hours=1), timedelta(minutes=2), 120),  # the record waits for an hour, the group moved since
        (timedelta(seconds=90), timedelta(days=1), 90),  # a quiet topic: nothing came for a day
        (timedelta(seconds=30), timedelta(days=1), 30),
    ],
)
def test_record_waits_since_it_came_or_since_its_group_last_moved(
    written: timedelta, moved: timedelta, seconds: int
) -> None:
    look = seen([ledger_row(next_=5, updated_at=NOON - moved)], (0, 8), later=5)
    at = next_unread(only(look))
    assert at == ((KEY[1], KEY[2]), 5)
    (line,) = with_waits(look, reckon(look), {at: NOON - written})
    assert line.unread_seconds == seconds
    assert Audit([line], []).clean == (seconds <= 60)


def test_group_that_moved_while_we_looked_is_not_waited_for() -> None:
    look = seen([ledger_row(next_=5, updated_at=NOON - timedelta(days=1))], (0, 8), later=6)
    (line,) = with_waits(look, reckon(look), {(KEY[1:], 5): NOON - timedelta(hours=1)})
    assert line.unread_seconds == 0


def test_records_that_nobody_has_ever_read_wait_too() -> None:
    look = seen([], (0, 8))
    (line,) = with_waits(look, reckon(look), {(KEY[1:], 0): NOON - timedelta(hours=1)})
    assert (line.group, line.unread_seconds, Audit([line], []).clean) == (None, 3600, False)
