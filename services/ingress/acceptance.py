"""Acceptance: a record is kept, on every replica or in the spool, before anybody is answered 2xx."""

from typing import Self

from services.ingress.acknowledged import Acknowledged
from services.ingress.drain import Drainer
from services.ingress.spool import Spool
from services.ingress.spool_chunks import Full
from services.ingress.spool_file import Unreadable
from services.ingress.spool_level import Level
from services.ingress.spool_metrics import SpoolMetrics
from services.ingress.spool_shelf import Shelf
from services.ingress.spool_switch import Switch, Way
from services.kernel import Process, Publisher, Record, Retryable, Stop


class NoRoom(Exception):
    """Neither Kafka nor the spool can take it now: the sender gets 503 and the reason is in /ready."""


class Acceptance:
    """Where the doors hand in what they verified."""

    def __init__(
        self,
        publisher: Publisher,
        spool: Spool,
        switch: Switch,
        drainer: Drainer,
        metrics: SpoolMetrics,
    ) -> None:
        self._publisher = publisher
        self.spool = spool
        self.switch = switch
        self.drainer = drainer
        self._in_kafka = metrics.kept.labels("kafka")
        self._in_spool = metrics.kept.labels("spool")

    @classmethod
    def of(cls, process: Process) -> Self:
        """The acceptance of this process with its background work. Raises Stop where the spool cannot be written."""
        metrics = SpoolMetrics(process.registry)
        directory = process.settings.data_directory / "spool"
        try:
            shelf = Shelf(directory, process.secrets, cap_bytes=process.settings.spool_bytes)
        except (OSError, Unreadable) as error:
            raise Stop(f"the spool cannot be written ({error}): free or mount {directory}") from error
        spool = Spool(shelf, Level(shelf, metrics), process.clock)
        switch = Switch(process.publisher, process.clock, metrics.spooling)
        acknowledged = Acknowledged(process, metrics)
        process.publisher.listeners.append(acknowledged.note)
        drainer = Drainer(spool, process.publisher, switch, metrics, process.clock)
        if spool.records:
            switch.spool_first("records wait that an earlier process accepted")
        process.background("drain", drainer.run)
        process.background("kafka watch", switch.watch)
        process.background("acknowledged", acknowledged.run)
        process.site.unready.append(spool.level.fault)
        # Closed in reverse: first what holds the records, then the row that tells of them; the pools after both.
        process.at_close(acknowledged.close)
        process.at_close(spool.close)
        return cls(process.publisher, spool, switch, drainer, metrics)

    async def keep(self, record: Record) -> None:
        """Return once the record is durable. Raises NoRoom."""
        way = self.switch.way
        if way is Way.HOLDING:
            way = await self.switch.decided()
        if way is Way.DIRECT:
            try:
                await self._publisher.publish(record)
            except Retryable as away:
                self.switch.spool_first(str(away))
            else:
                self._in_kafka.inc()
                return
        try:
            await self.spool.put(record)
            self._in_spool.inc()
        except Full as full:
            await self._publish_in_spite(record, full)

    async def _publish_in_spite(self, record: Record, full: Full) -> None:
        """Out of its order, but not refused: the spool is full, and Kafka takes what is drained."""
        if not self.drainer.answered:
            raise NoRoom(str(full)) from full
        try:
            await self._publisher.publish(record)
        except Retryable as away:
            raise NoRoom(str(away)) from away
        self._in_kafka.inc()
