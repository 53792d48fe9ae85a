"""Two of each behind the real nginx, on three brokers: what is sent, and what became of it."""

import asyncio
import itertools
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson

from db.pool import Pool
from local.stack.machine.ports import HOST, free_ports
from local.stack.servers.brokers import BROKERS
from schemas.topics import WEBHOOKS
from services.kernel import Settings
from services.kernel.kafka.topics import Admin
from tests.chaos.processes import Worker
from tests.edge.real_nginx import NAME, Edge, edge
from tests.eventually import eventually
from tests.recordings.recorded import account_webhooks
from tests.services.ingress.bench import Shop, signed
from tests.services.ingress.wire import Wire, request

CONSUMERS = ("conversations", "widget", "customers", "contacts")
_CONNECTIONS = 200  # as many jobs as wait for answers where a broker's death holds them up
_CONVERSATIONS = 2_000
_HELD_SHARE = 0.95
_CONSUMERS_NICENESS = 6  # a quarter of a door's weight, which compose.yaml gives them too: what waits is not lost
_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Traffic:
    """Chatwoot: webhooks of one store at a rate, each sent once, at its own moment."""

    edge: Edge
    shop: Shop
    per_second: float
    answers: Counter[int] = field(default_factory=Counter)  # status → times; 0: no answer
    accepted: list[int] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)  # seconds until each answer
    seconds: float = 0.0
    _ending: bool = False

    async def run(self) -> None:
        begin = time.monotonic()
        due = ((number, begin + number / self.per_second) for number in itertools.count(1))
        like = next(one.body for one in account_webhooks("chatwoot-4.13.0") if one.event == "message_created")
        context = self.edge.context()
        await asyncio.gather(*(self._connection(due, orjson.loads(like), context) for _ in range(_CONNECTIONS)))
        self.seconds = time.monotonic() - begin

    def end(self) -> None:
        self._ending = True

    @property
    def held(self) -> float:
        """Webhooks a second, from the first to the last: fewer than asked where the machine is slower."""
        return self.answers.total() / self.seconds

    def __str__(self) -> str:
        p99 = sorted(self.waits)[round(0.99 * (len(self.waits) - 1))]
        rate = f"{self.per_second:.0f} a second asked, {self.held:.0f} held"
        if self.held < _HELD_SHARE * self.per_second:
            rate += " (no more on this machine: of that rate nothing is shown)"
        return f"{self.answers.total()} webhooks, {rate}; p99 {p99:.2f} s, slowest {max(self.waits):.1f} s"

    async def _connection(
        self, due: Iterator[tuple[int, float]], like: dict[str, Any], context: ssl.SSLContext
    ) -> None:
        while not self._ending:
            reader, writer = await asyncio.open_connection(HOST, self.edge.port, ssl=context, server_hostname=NAME)
            line = Wire(reader, writer)
            while not (self._ending or line.closed):
                number, moment = next(due)
                await asyncio.sleep(moment - time.monotonic())
                body = _message(like, self.shop, number)
                said = request(self.shop.door, signed(self.shop, body, at=datetime.now(UTC)), body)
                asked = time.monotonic()  # not when it was due: the sender shares the cores, and falls behind itself
                status, _ = await line.ask(said.replace(b"host: x", b"host: " + NAME.encode(), 1))
                self.answers[status] += 1
                self.waits.append(time.monotonic() - asked)
                if status == 204:
                    self.accepted.append(number)
            writer.close()


def _message(like: dict[str, Any], shop: Shop, number: int) -> bytes:
    at = _DAY + timedelta(seconds=number)
    state = {"id": number % _CONVERSATIONS + 1, "created_at": int(_DAY.timestamp()), "updated_at": at.timestamp()}
    return orjson.dumps(
        {
            **like,
            "id": number,
            "created_at": at.isoformat(timespec="milliseconds"),
            "account": {**like["account"], "id": shop.account_id},
            "conversation": {**like["conversation"], **state, "messages": []},
        }
    )


@dataclass
class Scene:
    """What runs, and what may be done to it."""

    settings: Settings
    admin: Pool
    traffic: Traffic
    workers: dict[str, Worker]
    ports: dict[str, int]

    async def roll(self, name: str) -> None:
        """SIGTERM, a clean end, the same again, and ready before the next one's turn."""
        worker = self.workers[name]
        assert await worker.stop() == 0, worker.told()
        await worker.start()
        await ready(worker, self.ports[name])

    async def in_sync(self) -> None:
        """Wait until every partition of the webhooks is on every broker."""

        async def everywhere() -> bool:
            async with Admin(self.settings) as admin:
                [topic] = await admin.describe_topics([WEBHOOKS.name])
            assert {len(one["isr"]) for one in topic["partitions"]} == {BROKERS}
            return True

        await eventually(lambda: quietly(everywhere))

    async def kept(self) -> int:
        """Messages of the store that are rows."""
        async with self.admin.acquire() as conn:
            sql = "select count(*) from wootstream.messages where organization_id = $1"
            return int(await conn.fetchval(sql, self.traffic.shop.id))

    async def ledger(self, group: str) -> dict[int, dict[str, int]]:
        """Counts by partition."""
        async with self.admin.acquire() as conn:
            rows = await conn.fetch(
                "select partition, applied, duplicate, dead, lost, next_offset from wootstream.ledger"
                " where consumer_group = $1 and topic = $2",
                group,
                WEBHOOKS.name,
            )
        return {row["partition"]: dict(row) for row in rows}


async def quietly(check: Callable[[], Awaitable[bool]]) -> bool:
    """False while the cluster is in the middle of a change, and the client says so."""
    try:
        return await check()
    except AssertionError:
        raise
    except Exception:
        return False


async def ready(worker: Worker, port: int) -> None:
    """Wait for /ready."""

    async def says_so() -> bool:
        assert worker.is_running, worker.told()
        async with httpx.AsyncClient(timeout=5) as client:
            try:
                return (await client.get(f"http://{HOST}:{port}/ready")).status_code == 200
            except httpx.HTTPError:
                return False

    await eventually(says_so)


@asynccontextmanager
async def two_of_each(
    settings: Settings,
    admin: Pool,
    shop: Shop,
    folder: Path,
    *,
    per_second: float,
    consumers: Sequence[str] = CONSUMERS,
) -> AsyncIterator[Scene]:
    """Ready, and with traffic; when it ends every answer is in and every process has ended cleanly."""
    names = [f"{name}-{number}" for name in ("ingress", *consumers) for number in (0, 1)]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    workers = {name: _worker(name, settings, folder, ports[name]) for name in names}
    async with AsyncExitStack() as stack:
        for worker in workers.values():
            await worker.start()
            stack.push_async_callback(worker.end)
        for name, worker in workers.items():
            await ready(worker, ports[name])
        front = await stack.enter_async_context(
            edge(folder / "nginx", *(f"{HOST}:{ports[f'ingress-{number}']}" for number in (0, 1)))
        )
        traffic = Traffic(front, shop, per_second)
        sending = asyncio.create_task(traffic.run())
        try:
            yield Scene(settings, admin, traffic, workers, ports)
        finally:
            traffic.end()
            await sending


def _worker(name: str, settings: Settings, folder: Path, port: int) -> Worker:
    place = folder / name
    place.mkdir()
    more = {
        "WOOTSTREAM_KAFKA_REPLICATION": str(settings.kafka_replication),
        "WOOTSTREAM_METADATA_MAX_AGE_SECONDS": "3",
        "WOOTSTREAM_INSTALLATION_KEY_FILE": str(settings.data_directory / "installation.key"),
        "WOOTSTREAM_PROXY_HOPS": "1",
    }
    ours = settings.model_copy(update={"data_directory": place, "http_port": port})
    service = name.partition("-")[0]
    command = ("services.cli", "run", service)
    member, niceness = (None, 0) if service == "ingress" else (name, _CONSUMERS_NICENESS)
    return Worker(command, ours, folder / f"{name}.log", member, more, niceness)
