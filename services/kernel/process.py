"""One process: opens what services need, lets each add itself, serves until SIGTERM, closes in reverse."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response

from db.pool import SERVICE, Pool, open_pool
from schemas.topics import Topic
from services.kernel.broker import GRACEFUL_SECONDS, make_broker
from services.kernel.chatwoot import Chatwoot
from services.kernel.clock import Clock
from services.kernel.errors import Stop, describe
from services.kernel.gate import wait_for_installation
from services.kernel.http import Server, Site
from services.kernel.metrics import Metrics
from services.kernel.publish import Publisher
from services.kernel.secrets import load_secrets
from services.kernel.sentry import report_errors
from services.kernel.settings import Settings
from services.kernel.watchdog import Watchdog

_LAST_TURN_SECONDS = 2.0
# A batch of decoded bodies is thousands of containers that all die together. With Python's own thresholds the collector
# walks them again and again, which was half of a consumer's processor time.
COLLECT_AFTER = (50_000, 20, 20)
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
log = structlog.get_logger()


class Process:
    """What one process has: settings, clock, metrics, pools, Kafka, Chatwoot's client, HTTP, background work."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or Clock()
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.secrets = load_secrets(settings)
        self.publisher = Publisher(settings, self.clock)
        self.chatwoot = Chatwoot(settings, self.clock, self.registry)
        self.site = Site(self.registry)
        self.cluster_id = ""
        self.address = ""  # where the HTTP server listens
        self.failure: BaseException | None = None
        self.stopping = asyncio.Event()
        self.turning: set[str] = set()  # background work that ends by itself once `stopping` is set
        self.topics: list[Topic] = []
        self._broker: KafkaBroker | None = None
        self._pools: dict[str, Pool] = {}
        self._closing: list[Callable[[], Awaitable[None]]] = []
        self._work: list[tuple[str, Callable[[], Awaitable[None]]]] = []

    def pool(self, role: str = SERVICE) -> Pool:
        """The pool of this role; it connects on first use."""
        if role not in self._pools:
            if self.settings.database_url is None:
                raise Stop("no database: set DATABASE_URL, or start the local stack with: wootstream local start")
            self._pools[role] = open_pool(self.settings.database_url.get_secret_value(), role, size=8)
        return self._pools[role]

    @property
    def broker(self) -> KafkaBroker:
        """The consumers' broker; made when the first of them asks."""
        if self._broker is None:
            self._broker = make_broker(self.settings)
        return self._broker

    def route(
        self,
        path: str,
        endpoint: Callable[[Request], Awaitable[Response]],
        *,
        methods: Sequence[str] = ("GET",),
    ) -> None:
        """Answer `path` by a Starlette endpoint."""
        self.site.route(path, endpoint, methods)

    def door(self, prefix: str, app: Any) -> None:
        """Hand every request whose path begins with `prefix` to a bare ASGI application, before any routing."""
        self.site.doors.append((prefix, app))

    def background(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` for the life of the process; an exception that escapes it ends the process."""
        self._work.append((name, work))

    def at_close(self, close: Callable[[], Awaitable[None]]) -> None:
        """Call `close` once the background work has ended."""
        self._closing.append(close)

    def fail(self, error: BaseException) -> None:
        """End the process with this error: a deploy fault or a bug."""
        if self.failure is None:
            self.failure = error
            log.error("process_fails", error=describe(error), exc_info=None if isinstance(error, Stop) else error)
        self.stopping.set()

    async def serve(self) -> int:
        """Serve until SIGTERM, SIGINT or a failure; return the exit code."""
        loop = asyncio.get_running_loop()
        for signum in _SIGNALS:
            loop.add_signal_handler(signum, self.stopping.set)
        server = Server(self.site, self.settings)
        await server.start()
        self.address = server.address
        tasks = [asyncio.create_task(self._guard(work), name=name) for name, work in self._all_work()]
        log.info("process_serves", address=server.address, background=[task.get_name() for task in tasks])
        await self.stopping.wait()
        self.site.ready.clear()
        await server.stop()
        await self._stop_work(tasks)
        await self.close()
        for signum in _SIGNALS:
            loop.remove_signal_handler(signum)
        return 1 if self.failure else 0

    def _all_work(self) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        return [("publisher", self.publisher.connect), ("consumers", self._start_consumers), *self._work]

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:
            self.fail(error)

    async def _start_consumers(self) -> None:
        if self._broker is not None:
            while not await self._started(self._broker):
                await _bounded("broker", self._broker.stop(), GRACEFUL_SECONDS)
            log.info("consumers_started", topics=sorted({topic.name for topic in self.topics}))
        self.site.ready.set()

    async def _started(self, broker: KafkaBroker) -> bool:
        """Wait for the installation, then start; False if Kafka went away in between."""
        self.cluster_id = await wait_for_installation(self.settings, self.clock, self.pool(), self.topics)
        try:
            await broker.start()
        except KafkaError as error:
            log.warning("kafka_is_away", error=type(error).__name__)
            return False
        return True

    async def _stop_work(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        # What is in the middle of a turn ends it: a Kafka client closed under a request leaks its connection.
        if turning := [task for task in tasks if task.get_name() in self.turning]:
            await asyncio.wait(turning, timeout=_LAST_TURN_SECONDS)
        # The broker's own stop can take as long as its request time-out (40 s) when Kafka is dead.
        if self._broker is not None:
            await _bounded("broker", self._broker.stop(), GRACEFUL_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Close what services and the process itself have opened, in reverse."""
        for close in reversed(self._closing):
            await _bounded(getattr(close, "__qualname__", "resource"), close(), 5)
        await _bounded("publisher", self.publisher.stop(), 6)
        await self.chatwoot.close()
        for role, pool in self._pools.items():
            if not await _bounded(f"pool {role}", pool.close(), 5):
                pool.terminate()


async def _bounded(what: str, closing: Awaitable[Any], seconds: float) -> bool:
    try:
        await asyncio.wait_for(closing, seconds)
    except Exception as error:
        log.warning("closing_was_cut_short", what=what, error=type(error).__name__)
        return False
    return True


async def run(settings: Settings, services: Sequence[Callable[[Process], None]]) -> int:
    """Run these services in one process until SIGTERM; return its exit code."""
    gc.set_threshold(*COLLECT_AFTER)
    report_errors(settings)
    process = Process(settings)
    for add_to in services:
        add_to(process)
    with Watchdog():
        return await process.serve()
