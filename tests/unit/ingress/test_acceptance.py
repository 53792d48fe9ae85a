"""A sender's time, shared out: whatever hangs, he is answered by his deadline, and what nobody can keep is refused."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from prometheus_client import CollectorRegistry

from schemas.topics import MAX_MESSAGE_BYTES
from services.ingress.acceptance import Acceptance, NoRoom, TooLarge
from services.ingress.spool.metrics import SpoolMetrics
from services.ingress.spool.shelf import Full
from services.ingress.spool.switch import Way
from services.kernel import Clock, Record, Retryable
from services.kernel.publishing.lanes import Position
from services.kernel.publishing.verdicts import NeverTaken

_SECONDS = 4.0


class Hung(Clock):
    """Kafka, disk and drainer of which none answers: whoever waits for one waits as long as he said."""

    def __init__(self, way: Way, *, answered: bool) -> None:
        self.at = 100.0
        self.way = way
        self.answered = answered
        self.waited: list[str] = []

    def monotonic(self) -> float:
        return self.at

    def spool_first(self, _why: str) -> None:
        self.way = Way.SPOOL
        self.answered = False

    async def decided(self, seconds: float) -> Way:
        self._wait("held", seconds)
        return Way.DIRECT

    async def publish(self, _record: Record, seconds: float) -> None:
        self._wait("kafka", seconds)
        raise Retryable("late")

    def offered(self, _record: Record, seconds: float) -> "asyncio.Future[Position]":
        self.waited.append("kafka")
        assert seconds == _SECONDS / 2
        return asyncio.get_running_loop().create_future()

    async def put(self, _record: Record, seconds: float) -> None:
        self._wait("disk", seconds)
        raise Full("the disk does not answer")

    def _wait(self, what: str, seconds: float) -> None:
        assert seconds > 0
        self.waited.append(what)
        self.at += seconds


def acceptance(hung: Any) -> Acceptance:
    metrics = SpoolMetrics(CollectorRegistry())
    return Acceptance(hung, hung, hung, hung, metrics, clock=hung, answer_seconds=_SECONDS)


def record(value: bytes = b"{}") -> Record:
    return Record.accepted(
        "t", key=b"k", value=value, store=uuid4(), event="e", origin="webhook", received_at=datetime.now(UTC)
    )


@pytest.mark.parametrize(
    ("way", "answered", "waited"),
    [
        (Way.HOLDING, True, ["held", "kafka", "disk"]),
        (Way.DIRECT, False, ["kafka", "disk"]),
        (Way.SPOOL, False, ["disk"]),
        (Way.SPOOL, True, ["disk", "kafka"]),
    ],
)
@pytest.mark.parametrize("spent", [0.0, 1.0, 3.0])
async def test_who_waits_for_what_never_answers_is_refused_by_his_deadline(
    way: Way, answered: bool, waited: list[str], spent: float
) -> None:
    hung = Hung(way, answered=answered)
    deadline = hung.at + _SECONDS
    hung.at += spent

    with pytest.raises(NoRoom):
        await acceptance(hung).keep(record(), deadline)

    assert hung.waited == waited
    assert hung.at <= deadline


async def test_who_comes_too_late_is_refused_and_turns_nobody_to_the_spool() -> None:
    hung = Hung(Way.DIRECT, answered=False)

    with pytest.raises(NoRoom):
        await acceptance(hung).keep(record(), hung.at + 0.1)

    assert (hung.waited, hung.way) == ([], Way.DIRECT)


@pytest.mark.parametrize("way", Way)
async def test_what_no_topic_takes_is_refused_before_it_is_kept_anywhere(way: Way) -> None:
    hung = Hung(way, answered=True)

    with pytest.raises(TooLarge):
        await acceptance(hung).keep(record(b"x" * MAX_MESSAGE_BYTES), hung.at + _SECONDS)

    assert hung.waited == []


@pytest.mark.parametrize("way", [Way.HOLDING, Way.SPOOL])
async def test_what_must_wait_for_more_than_kafka_is_not_offered(way: Way) -> None:
    hung = Hung(way, answered=True)

    assert acceptance(hung).offered(record(), hung.at + _SECONDS) is None
    assert hung.waited == []


async def test_what_has_waited_for_something_else_is_not_offered() -> None:
    hung = Hung(Way.DIRECT, answered=True)

    assert acceptance(hung).offered(record(), hung.at + _SECONDS - 1.1) is None
    assert hung.waited == []


async def test_an_offered_record_that_kafka_acknowledges_is_kept() -> None:
    hung = Hung(Way.DIRECT, answered=True)
    accepting = acceptance(hung)
    offered = accepting.offered(record(), hung.at + _SECONDS)
    assert offered
    offered.set_result((0, 7))

    assert accepting.kept(offered)
    assert hung.way is Way.DIRECT


async def test_an_offered_record_that_kafka_does_not_take_in_time_goes_to_the_spool() -> None:
    hung = Hung(Way.DIRECT, answered=True)
    accepting = acceptance(hung)
    offered = accepting.offered(record(), hung.at + _SECONDS)
    assert offered
    offered.set_exception(KafkaConnectionError())

    assert not accepting.kept(offered)
    assert hung.way is Way.SPOOL


async def test_an_offered_record_that_kafka_never_takes_is_refused_and_turns_nobody_to_the_spool() -> None:
    hung = Hung(Way.DIRECT, answered=True)
    accepting = acceptance(hung)
    offered = accepting.offered(record(), hung.at + _SECONDS)
    assert offered
    offered.set_exception(MessageSizeTooLargeError())

    with pytest.raises(NeverTaken):
        accepting.kept(offered)
    assert hung.way is Way.DIRECT
