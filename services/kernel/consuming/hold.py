"""The hold on one consumer's partitions: where each goes on, and which of them stands still."""

import asyncio
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError

from services.kernel.process import Process

_POSITION_SECONDS = 10.0
log = structlog.get_logger()


class Hold:
    """Moves and halts partitions, as long as they are ours. A halted one pauses alone; the others go on."""

    def __init__(self, process: Process, group: str, topic: str) -> None:
        self._gauge = process.metrics.halted.labels(group, topic)
        self._group = group
        self._topic = topic
        self.subscriber: Any = None
        self.halted: dict[int, str] = {}

    @property
    def consumer(self) -> Any:
        """FastStream's consumer, None before its start and after its stop."""
        return self.subscriber.consumer if self.subscriber else None

    async def position(self, partition: int) -> int | None:
        """The next offset to be fetched, or None when the partition is no longer ours. Raises TimeoutError."""
        if (consumer := self.consumer) is None:
            return None
        try:
            async with asyncio.timeout(_POSITION_SECONDS):
                return int(await consumer.position(TopicPartition(self._topic, partition)))
        except IllegalStateError:
            return None

    def seek(self, partition: int, offset: int) -> None:
        self._if_ours("seek", partition, offset)

    def pause(self, partition: int) -> None:
        self._if_ours("pause", partition)

    def resume(self, partition: int) -> None:
        self._if_ours("resume", partition)

    def forget(self, partition: int) -> None:
        """It is somebody else's now."""
        self.halted.pop(partition, None)
        self._gauge.set(len(self.halted))

    def halt_or_resume(self, partition: int, reason: str | None) -> None:
        """Pause the partition while there is a reason."""
        about = {"group": self._group, "topic": self._topic, "partition": partition}
        if reason and self.halted.get(partition) != reason:
            self.halted[partition] = reason
            log.error("partition_halted", **about, reason=reason)
        elif not reason and partition in self.halted:
            del self.halted[partition]
            log.info("partition_resumed", **about)
            self._if_ours("resume", partition)
        if reason:
            self._if_ours("pause", partition)
        self._gauge.set(len(self.halted))

    def _if_ours(self, act: str, partition: int, *args: int) -> None:
        try:
            if self.consumer is not None:
                getattr(self.consumer, act)(TopicPartition(self._topic, partition), *args)
        except IllegalStateError:
            log.debug("partition_went_away", group=self._group, topic=self._topic, partition=partition)
