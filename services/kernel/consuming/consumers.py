"""The consumers of one process: FastStream's broker, started when the installation is there."""

from collections.abc import Callable
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from db.pool import Pool
from schemas.topics import Topic
from services.kernel.clock import Clock
from services.kernel.closing import closed_within, opened
from services.kernel.consuming.broker import GRACEFUL_SECONDS, make_broker, subscriber_of
from services.kernel.consuming.gate import wait_for_installation
from services.kernel.errors import describe
from services.kernel.settings import Settings

log = structlog.get_logger()


class Consumers:
    """Whoever reads a topic in this process. Without any, nothing is opened."""

    def __init__(self, settings: Settings, clock: Clock, pool: Callable[[], Pool]) -> None:
        self._settings = settings
        self._clock = clock
        self._pool = pool
        self._topics: list[Topic] = []
        self._broker: KafkaBroker | None = None
        self.cluster_id = ""

    @property
    def broker(self) -> KafkaBroker:
        """Made when the first consumer asks."""
        if self._broker is None:
            self._broker = make_broker(self._settings)
        return self._broker

    def subscriber(self, topic: Topic, group: str, **more: Any) -> Any:
        """One that reads `topic` as `group` from the start on; `more` are FastStream's own options."""
        self._topics.append(topic)
        return subscriber_of(self.broker, self._settings, topic, group, **more)

    async def start(self) -> None:
        """Wait for the installation, then let all of them fetch. Raises Stop with the cure."""
        if self._broker is not None:
            while not await self._started(self._broker):
                pass  # Kafka went away after the wait: wait again
            log.info("consumers_started", topics=sorted({topic.name for topic in self._topics}))

    async def _started(self, broker: KafkaBroker) -> bool:
        """Whether Kafka was still there after the wait."""
        self.cluster_id = await wait_for_installation(self._settings, self._clock, self._pool(), self._topics)
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
