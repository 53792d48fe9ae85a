"""FastStream as the kernel wants it: batches of raw records, nothing decoded and nothing acknowledged by itself."""

import logging
from typing import Any

from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage

from schemas.topics import MAX_MESSAGE_BYTES, Topic
from services.kernel.kafka import client
from services.kernel.settings import Settings

GRACEFUL_SECONDS = 10.0  # a consumer that has not settled its batch by then is cut off
MAX_POLL_SECONDS = 300
_HEARTBEATS_A_SESSION = 10  # the others learn of a death, a leaving or a joining with their next heartbeat


def make_broker(settings: Settings) -> KafkaBroker:
    """FastStream's broker for consumers only: what is published goes through the process's own producer."""
    return client.broker(
        settings,
        consumer_only=True,
        allow_auto_create_topics=False,
        metadata_max_age_ms=int(settings.metadata_max_age_seconds * 1000),
        graceful_timeout=GRACEFUL_SECONDS - 2,
        logger=_quiet_logger(),
        log_level=logging.DEBUG,
        apply_types=False,
    )


def _quiet_logger() -> logging.Logger:
    """FastStream tells every batch and every rebalance; errors are what a person wants of it."""
    logger = logging.getLogger("faststream")
    logger.setLevel(logging.ERROR)
    return logger


def subscriber_of(broker: KafkaBroker, settings: Settings, topic: Topic, group: str, **more: Any) -> Any:
    """Read `topic` as `group`, in batches of raw records; `more` are FastStream's own options."""
    return broker.subscriber(
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
