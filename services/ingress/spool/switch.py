"""Which comes first, Kafka or the spool.

direct ──a publish fails or is late──▶ spool ──the drainer has nearly all out──▶ holding ──all out──▶ direct
                                         ▲────────the drainer's publish fails──────┘

While holding, new records wait a moment for the last spooled ones to be published, so that a key keeps its order.
"""

import asyncio
from enum import Enum

import structlog
from prometheus_client import Gauge

from services.kernel import Clock, Publisher

_LOOK_SECONDS = 0.1
_SUSPICIOUS_SECONDS = 0.25  # many times what an acknowledgement takes, a small part of a sender's patience
log = structlog.get_logger()


class Way(Enum):
    """Where the next record goes."""

    DIRECT = "direct"
    SPOOL = "spool"
    HOLDING = "holding"


class Switch:
    """Set by who sees Kafka fail and by the drainer; read for every record."""

    def __init__(self, publisher: Publisher, clock: Clock, spooling: Gauge) -> None:
        self.way = Way.DIRECT
        self.wanted = asyncio.Event()  # the drainer has work
        self._decided = asyncio.Event()
        self._decided.set()
        self._publisher = publisher
        self._clock = clock
        self._spooling = spooling
        self._since = 0.0

    def spool_first(self, why: str) -> None:
        """Kafka is away, or older records wait in the spool."""
        if self.way is Way.DIRECT:
            self._since = self._clock.monotonic()
            log.warning("spool_comes_first", why=why)
            # Who still waits for Kafka would wait in vain: on to the spool with them.
            self._publisher.give_up()
        self.way = Way.SPOOL
        self._spooling.set(1)
        self._decided.set()
        self.wanted.set()

    def hold(self) -> None:
        self.way = Way.HOLDING
        self._decided.clear()

    def direct(self) -> None:
        """Nothing waits in the spool, and Kafka answers."""
        log.info("kafka_comes_first", after_seconds=round(self._clock.monotonic() - self._since, 1))
        self.way = Way.DIRECT
        self._spooling.set(0)
        self.wanted.clear()
        self._decided.set()

    async def decided(self, seconds: float) -> Way:
        """The way, after the holding; who has been held for so long goes to the spool."""
        try:
            async with asyncio.timeout(seconds):
                await self._decided.wait()
        except TimeoutError:
            self.spool_first("the drainer takes too long with the last")
        return self.way

    async def watch(self) -> None:
        """A lost connection is known long before a publish is late: look when one has waited suspiciously long."""
        while True:
            await self._clock.sleep(_LOOK_SECONDS)
            if self._publisher.longest_wait() > _SUSPICIOUS_SECONDS and not await self._publisher.reaches():
                self.spool_first("the connection to Kafka is lost")
