"""The consumers of one process: FastStream's broker, started once Kafka, PostgreSQL, schema and topics are there."""

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog
from aiokafka.errors import KafkaError

from db.pool import Pool
from schemas.topics import Topic
from services.kernel.clock import Clock
from services.kernel.closing import closed_within, opened
from services.kernel.errors import describe
from services.kernel.kafka import client
from services.kernel.preflight import wait_for_installation
from services.kernel.settings import Settings

if TYPE_CHECKING:
    from faststream.kafka import KafkaBroker

log = structlog.get_logger()
GRACEFUL_SECONDS = 10.0  # a consumer that has not settled its batch by then is cut off


def make_broker(settings: Settings) -> "KafkaBroker":
    """FastStream's broker for consumers only: what is published goes through the process's own producer."""
    return client.broker(
        settings,
        consumer_only=True,
        allow_auto_create_topics=False,
        metadata_max_age_ms=int(settings.metadata_max_age_seconds * 1000),
        graceful_timeout=GRACEFUL_SECONDS - 2,  # FastStream's own way to stop first; ours is for when it hangs
        logger=_quiet_logger(),
        log_level=logging.DEBUG,
        apply_types=False,
    )


def _quiet_logger() -> logging.Logger:
    """FastStream tells every batch and every rebalance; errors are what a person wants of it."""
    logger = logging.getLogger("faststream")
    logger.setLevel(logging.ERROR)
    return logger


class Consumers:
    """Whoever reads a topic in this process. Without any, nothing is opened."""

    def __init__(
        self, settings: Settings, clock: Clock, pool: Callable[[], Pool], checked: Callable[[], Awaitable[None]]
    ) -> None:
        self._settings = settings
        self._checked = checked
        self._clock = clock
        self._pool = pool
        self._topics: list[Topic] = []
        self._broker: KafkaBroker | None = None
        self.cluster_id = ""

    @property
    def broker(self) -> "KafkaBroker":
        """Made when the first consumer asks."""
        if self._broker is None:
            self._broker = make_broker(self._settings)
        return self._broker

    @property
    def wanted(self) -> bool:
        """Whether anybody reads a topic here."""
        return self._broker is not None

    def reading(self, topic: Topic) -> "KafkaBroker":
        """The broker, which is to be started once this topic is there."""
        self._topics.append(topic)
        return self.broker

    async def start(self) -> None:
        """Wait for the installation, then let all of them fetch. Raises Stop with the cure."""
        if self._broker is not None:
            while not await self._started(self._broker):
                pass  # Kafka went away after the wait: wait again
            log.info("consumers_started", topics=sorted({topic.name for topic in self._topics}))

    async def _started(self, broker: "KafkaBroker") -> bool:
        """Whether Kafka was still there after the wait."""
        self.cluster_id = await wait_for_installation(
            self._settings, self._clock, self._pool(), self._topics, self._checked
        )
        try:
            await opened(broker.start(), self.stop)
        except KafkaError as error:
            log.warning("kafka_is_away", error=describe(error))
            return False
        return True

    async def stop(self) -> None:
        """Let each settle the batch it has in hand, and leave its group."""
        if self._broker is not None:
            await closed_within(GRACEFUL_SECONDS, "broker", self._broker.stop())
