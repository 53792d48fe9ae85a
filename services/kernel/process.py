"""One process: has what services need, serves until SIGTERM, closes in reverse."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import structlog
from prometheus_client import CollectorRegistry

from db.pool import PEOPLE, SERVICE, Pool, TooMuchPower, open_pool
from services.kernel.chatwoot.chatwoot_client import Chatwoot
from services.kernel.clock import Clock
from services.kernel.closing import closed_within
from services.kernel.consuming.subscriber import Consumers
from services.kernel.errors import Stop, describe
from services.kernel.person_tokens import stores_of
from services.kernel.publishing.publish import Publisher
from services.kernel.sealing.opening import SealOpener
from services.kernel.secrets import load_secrets
from services.kernel.settings import Settings
from services.kernel.telemetry.following import Follower, follower_of
from services.kernel.telemetry.metrics import Metrics
from services.kernel.trouble import Trouble
from services.kernel.web.callers import Callers
from services.kernel.web.http import Endpoint, HttpServer, Site
from services.kernel.web.operations import Operations

# Opened when needed, closed after 300 s idle. A group holds one for a batch and one for a look at its positions; the
# rounds of background work and reports share the rest. Each is a process of PostgreSQL's, which has some hundred.
_POOL_CONNECTIONS = 8
# Each holds a connection beside the one that it works with, and a pooler may have no more than four. What is not needed
# may take hours, and has a turn of its own: nothing that is needed waits for it.
_TURNS_ALONE, _TURNS_NOT_NEEDED = 2, 1
_LAST_TURN_SECONDS = 2.0
_CLOSING_SECONDS = 6.0  # above the producer's request time-out
_CONSUMERS = "consumers"
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_Act = Callable[[], Awaitable[None]]
log = structlog.get_logger()


class Process:
    """What one process has: settings, clock, metrics, pools, Kafka, Chatwoot's client, HTTP, background work."""

    def __init__(self, settings: Settings, clock: Clock | None = None, following: Follower | None = None) -> None:
        self.settings = settings
        self.clock = clock or Clock()
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.following = following or follower_of(settings)
        self.secrets = load_secrets(settings)
        self.opener = SealOpener(self.secrets, self.clock)
        self.publisher = Publisher(settings, self.clock)
        self.chatwoot = Chatwoot(settings, self.clock, self.registry, following=self.following)
        self.site = Site(self.registry, self.metrics, self.following)
        self.consumers = Consumers(settings, self.clock, self.pool, self.checked)
        self.callers = Callers(settings, self.clock, self.registry, self.pool, self._stores_of)
        self.operations = Operations(self.callers, self.route, enabled=settings.api_token is not None)
        self.address = ""  # where the HTTP server listens
        self.failure: BaseException | None = None
        self.stopping = asyncio.Event()
        self.turns_alone = {True: asyncio.Semaphore(_TURNS_ALONE), False: asyncio.Semaphore(_TURNS_NOT_NEEDED)}
        self._ends_itself: set[str] = set()  # names of background work
        self._pools: dict[str, Pool] = {}
        self._closing: list[_Act] = []
        self._checks: list[_Act] = []
        self._work: list[tuple[str, _Act]] = [
            ("publisher", self.publisher.connect),
            (_CONSUMERS, self._start_consumers),
        ]

    def pool(self, role: str = SERVICE) -> Pool:
        """The pool of this role; it connects on first use."""
        if role not in self._pools:
            if self.settings.database_url is None:
                raise Stop("no database: set DATABASE_URL, or start the local stack with: wootstream local start")
            url = self.settings.database_url.get_secret_value()
            self._pools[role] = open_pool(url, role, size=_POOL_CONNECTIONS, observe=self.following.connection)
        return self._pools[role]

    async def _stores_of(self, person: UUID) -> frozenset[UUID]:
        return await stores_of(self.pool(PEOPLE), person)

    def route(
        self,
        path: str,
        endpoint: Endpoint,
        *,
        methods: Sequence[str] = ("GET",),
    ) -> None:
        """Answer `path` by a Starlette endpoint, or an ASGI application in its place."""
        self.site.route(path, endpoint, methods)

    def background(self, name: str, work: _Act, *, ends_itself: bool = False) -> None:
        """Run `work` for the life of the process, again after a while when it fails; only a Stop ends the process.

        What ends itself once `stopping` is set is waited for, a moment, instead of being cancelled in mid-turn.
        """
        self._work.append((name, work))
        if ends_itself:
            self._ends_itself.add(name)

    def trouble(self, work: str, *, patience: int = 3, needed: bool = True) -> Trouble:
        """What becomes of failures of this piece of work; /ready tells of it after so many in a row.

        It stays 200 for what is not needed: doors that do without it must not be taken out of service.
        """
        trouble = Trouble(work, self.clock, self.metrics, patience=patience)
        (self.site.ready_unless if needed else self.site.remark)(trouble.fault)
        return trouble

    def begin_after(self, check: _Act) -> None:
        """Before this has passed, consumers apply nothing, and no work is begun that one process does for all.

        Doors answer meanwhile: they need no database to begin, and go on with what they can open.
        """
        self._checks.append(check)

    async def checked(self) -> None:
        """Make the checks that have not passed yet. Raises what they raise: a Stop ends the process."""
        for check in tuple(self._checks):
            await check()
            if check in self._checks:  # somebody else made it meanwhile
                self._checks.remove(check)

    def at_close(self, close: _Act) -> None:
        """Call `close` once the background work has ended."""
        self._closing.append(close)

    def fail(self, error: BaseException) -> None:
        """End the process with this error: a fault of the deployment."""
        if self.failure is None:
            self.failure = error
            log.error("process_fails", error=describe(error), exc_info=None if isinstance(error, Stop) else error)
        self.stopping.set()

    async def serve(self) -> int:
        """Serve until SIGTERM, SIGINT or a failure; return the exit code."""
        loop = asyncio.get_running_loop()
        for signum in _SIGNALS:
            loop.add_signal_handler(signum, self.stopping.set)
        server = HttpServer(self.site, self.settings, self.metrics)
        await server.start()
        self.address = server.address
        tasks = [asyncio.create_task(self._guard(name, work), name=name) for name, work in self._work]
        log.info("process_serves", address=server.address, background=[task.get_name() for task in tasks])
        await self.stopping.wait()
        self.site.ready.clear()
        # Before the work: the last requests need the publisher, the spool and the drainer to be answered.
        await server.stop()
        await self._stop_work(tasks)
        await self.close()
        for signum in _SIGNALS:
            loop.remove_signal_handler(signum)
        return 1 if self.failure else 0

    async def _guard(self, name: str, work: _Act) -> None:
        trouble = self.trouble(name, needed=False)
        while not self.stopping.is_set():
            try:
                await work()
                break
            except (Stop, TooMuchPower) as error:
                self.fail(error)
            except Exception as error:
                await self.clock.wait(trouble.failed(error), self.stopping)

    async def _start_consumers(self) -> None:
        await self.consumers.start()
        self.site.ready.set()

    async def _stop_work(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        # Consumers that are still being started would go on fetching after their stop.
        await _cancelled([task for task in tasks if task.get_name() == _CONSUMERS])
        # What is in the middle of a turn ends it: a Kafka client closed under a request leaks its connection.
        if turning := [task for task in tasks if task.get_name() in self._ends_itself]:
            await asyncio.wait(turning, timeout=_LAST_TURN_SECONDS)
        await self.consumers.stop()
        await _cancelled(tasks)

    async def close(self) -> None:
        """Close what services and the process itself have opened, in reverse."""
        for close in reversed(self._closing):
            await closed_within(_CLOSING_SECONDS, getattr(close, "__qualname__", "resource"), close())
        await closed_within(_CLOSING_SECONDS, "publisher", self.publisher.stop())
        await self.chatwoot.close()
        for role, pool in self._pools.items():
            # Last of all: what was closed before may have written its last rows.
            if not await closed_within(_CLOSING_SECONDS, f"pool {role}", pool.close()):
                pool.terminate()
        await self.following.close()


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
