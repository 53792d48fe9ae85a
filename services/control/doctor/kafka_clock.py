"""Kafka's clock, which no usual answer tells: the quorum that keeps its metadata says when it last heard of itself.

That is DescribeQuorum (KIP-595, its moments KIP-836), of Kafka 3.4 and later; aiokafka 0.14 has no such request.
"""

from datetime import UTC, datetime
from typing import Any

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

_KEY, _VERSION = 55, 1
_TEXT = CompactString("utf-8")
_REPLICAS = CompactArray(
    ("replica_id", Int32), ("log_end_offset", Int64), ("last_fetch", Int64), ("last_caught_up", Int64),
    ("tags", TaggedFields),
)  # fmt: skip
_PARTITION = CompactArray(
    ("partition", Int32), ("error_code", Int16), ("leader_id", Int32), ("leader_epoch", Int32),
    ("high_watermark", Int64), ("voters", _REPLICAS), ("observers", _REPLICAS), ("tags", TaggedFields),
)  # fmt: skip


class _QuorumResponse(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = _KEY
    API_VERSION = _VERSION
    SCHEMA = Schema(
        ("error_code", Int16),
        ("topics", CompactArray(("topic", _TEXT), ("partitions", _PARTITION), ("tags", TaggedFields))),
        ("tags", TaggedFields),
    )


class _QuorumRequestStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = _KEY
    API_VERSION = _VERSION
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _QuorumResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic", _TEXT),
                ("partitions", CompactArray(("partition", Int32), ("tags", TaggedFields))),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _QuorumRequest(Request[_QuorumRequestStruct]):  # type: ignore[misc]
    API_KEY = _KEY

    def build(self, request_struct_class: type[_QuorumRequestStruct]) -> _QuorumRequestStruct:
        return request_struct_class([("__cluster_metadata", [(0, {})], {})], {})


async def kafka_now(admin: Any) -> datetime | None:
    """The moment by the clock of the quorum's leader; None where this Kafka does not tell, or not to us."""
    try:
        answer = await admin._send_request(_QuorumRequest())
    except (IncompatibleBrokerVersion, NotImplementedError):
        return None
    return _leaders_moment(answer)


def _leaders_moment(answer: Any) -> datetime | None:
    for _topic, partitions, _tags in answer.topics if not answer.error_code else ():
        for _number, error, leader, _epoch, _mark, voters, _observers, _more in partitions:
            for replica, _end, last_fetch, _caught_up, _ in voters:
                if not error and replica == leader and last_fetch > 0:
                    return datetime.fromtimestamp(last_fetch / 1000, UTC)
    return None
