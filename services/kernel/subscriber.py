"""A FastStream subscriber as the kernel wants it: batches of raw records, and nothing acknowledged by itself."""

from typing import Any

from faststream import AckPolicy
from faststream.kafka.message import KafkaMessage

from schemas.topics import MAX_MESSAGE_BYTES, Topic
from services.kernel.process import Process

MAX_POLL_SECONDS = 300
_HEARTBEATS_A_SESSION = 10  # the others learn of a death, a leaving or a joining with their next heartbeat


def subscriber_of(process: Process, topic: Topic, group: str, **more: Any) -> Any:
    """Read `topic` as `group` with this process's broker; `more` are FastStream's own options."""
    settings = process.settings
    return process.broker.subscriber(
        topic.name,
        group_id=group,
        group_instance_id=f"{settings.group_instance}-{group}" if settings.group_instance else None,
        batch=True,
        max_records=settings.batch_records,
        batch_timeout_ms=100,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL,
        max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
        max_poll_interval_ms=MAX_POLL_SECONDS * 1000,
        session_timeout_ms=int(settings.session_timeout_seconds * 1000),
        heartbeat_interval_ms=int(settings.session_timeout_seconds * 1000 / _HEARTBEATS_A_SESSION),
        parser=_untouched,
        decoder=_raw,
        **more,
    )


async def _untouched(records: Any) -> KafkaMessage:
    """No header is decoded here: FastStream 0.7.8 drops a whole batch when one is not UTF-8."""
    return KafkaMessage(body=b"", headers={}, raw_message=records, consumer=None)  # type: ignore[arg-type]


async def _raw(message: Any) -> Any:
    return message.raw_message
