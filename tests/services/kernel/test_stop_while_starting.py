"""A stop in the middle of the start: what was being opened is closed, too."""

import gc
import warnings
from typing import Any

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import GroupCoordinatorNotAvailableError

from services.kernel import Process
from services.kernel.kafka.topics import Admin
from tests.eventually import eventually
from tests.kernel_bench import Bench


@pytest.mark.parametrize("last", range(1, 13))
async def test_stop_at_any_request_to_kafka_leaves_nothing_open_and_nobody_in_the_group(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        gc.collect()
        warned.clear()  # what others left behind
        async with bench.consuming() as process:
            sent = _count_requests(monkeypatch, process, last)
            await eventually(lambda: len(sent) >= last)
        gc.collect()
    assert [str(one.message) for one in warned] == []
    assert await _members(bench) == []


async def _members(bench: Bench) -> list[Any]:
    """Who Kafka believes to consume for the group."""

    async def described() -> Any:
        try:
            async with Admin(bench.settings) as admin:
                return await admin.describe_consumer_groups([bench.group])
        except GroupCoordinatorNotAvailableError:  # Kafka makes the topic of groups when the first one is asked for
            return None

    [answer] = await eventually(described)
    [(_, _, _, _, _, members, *_)] = answer.groups
    return list(members)


def _count_requests(monkeypatch: pytest.MonkeyPatch, process: Process, last: int) -> list[Any]:
    """Note each request to Kafka; stop the process with the last."""
    sent: list[Any] = []
    send = AIOKafkaConnection.send

    def counted(self: AIOKafkaConnection, request: Any, *args: Any, **more: Any) -> Any:
        sent.append(request)
        if len(sent) == last:
            process.stopping.set()
        return send(self, request, *args, **more)

    monkeypatch.setattr(AIOKafkaConnection, "send", counted)
    return sent
