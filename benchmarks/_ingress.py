"""What the ingress benchmark needs: the two servers as processes, and the requests that both get."""

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import psutil

from benchmarks._command import spread
from benchmarks._load import throughput, waits
from db.migrate import migrate
from db.pool import use_json
from local.demo.visitors import PageVisitor
from local.stack import Stack
from schemas.topics import WEBHOOKS, WIDGET_EVENTS
from services.kernel import Clock, Settings
from services.kernel.kafka.topics import ensure_topics
from tests.recordings.recorded import RUNS, account_webhooks
from tests.services.ingress.bench import ORIGIN, Shop, open_shop, signed
from tests.services.ingress.wire import request

EVENTS = 10  # in a POST
_HALF_LOAD_SECONDS, _HALF_LOAD_TURNS = 4, 5
_MUCH = "1000000000"
SKEW_SECONDS = 3600
_LONGEST = 16 * 1024  # a few recorded bodies are 900 kB: they would measure the network
_PAGE = "https://shop.example/products/lamp-40?utm_source=mail"
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


async def shop_on(stack: Stack, folder: Path) -> Shop:
    """The one that is loaded, attached there."""
    await migrate(stack.database_url)
    settings = Settings(database_url=stack.database_url, kafka_bootstrap_servers=stack.kafka, data_directory=folder)
    await ensure_topics(settings)
    async with asyncpg.create_pool(stack.database_url, min_size=0, max_size=1, init=use_json) as admin:
        return await open_shop(admin, settings)


def environment_on(stack: Stack, folder: Path) -> dict[str, str]:
    """Of a server."""
    return {
        "DATABASE_URL": stack.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": stack.kafka,
        "WOOTSTREAM_DATA_DIRECTORY": str(folder),
        "WOOTSTREAM_HTTP_PORT": "0",
        "WOOTSTREAM_BEACONS_PER_MINUTE": _MUCH,
        "WOOTSTREAM_BEACONS_PER_MINUTE_NETWORK": _MUCH,
        "WOOTSTREAM_BEACONS_PER_MINUTE_STORE": _MUCH,
        "WOOTSTREAM_WEBHOOK_SKEW_SECONDS": str(SKEW_SECONDS),
    }


@dataclass(eq=False)
class LoadedServer:
    """A process under measurement, and what it showed round by round; CPU in seconds a request."""

    name: str
    address: str
    process: psutil.Process
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def megabytes(self) -> float:
        """What it holds of the memory now."""
        return round(float(self.process.memory_info().rss) / 2**20, 1)

    def forget(self) -> None:
        """What it showed until now."""
        self.rates, self.cpu = [], []

    async def round(self, requests: Sequence[bytes]) -> None:
        before = self._cpu_seconds()
        self.rates.append(await throughput(self.address, requests))
        self.cpu.append((self._cpu_seconds() - before) / len(requests))

    def _cpu_seconds(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


async def alternate(loaded: Sequence[tuple[LoadedServer, Sequence[bytes]]], rounds: int) -> None:
    """Rounds in turn, to and fro; the first warms connections, caches and Kafka, and does not count."""
    for number in range(rounds + 1):
        for one, requests in loaded if number % 2 else loaded[::-1]:
            if number <= 1:
                one.forget()
            await one.round(requests)
        print("   ".join(f"{one.name} {one.rates[-1]:,.0f}/s {one.cpu[-1] * 1e6:.0f} µs" for one, _ in loaded))


def compared(ours: LoadedServer, other: LoadedServer) -> dict[str, Any]:
    """Ratios above 1 where ours is better, of neighbouring rounds: a machine's pace drifts by more than is measured."""
    return {
        "throughput_ratio": spread(ratios(ours.rates, other.rates)),
        "cpu_ratio": spread(ratios(other.cpu, ours.cpu)),
        **{
            f"{name}_{what}": spread(values, 1)
            for name, one in ((other.name, other), ("ours", ours))
            for what, values in (("per_second", one.rates), ("cpu_microseconds", [each * 1e6 for each in one.cpu]))
        },
    }


def ratios(ones: Sequence[float], others: Sequence[float]) -> list[float]:
    """Of neighbours."""
    return [one / other for one, other in zip(ones, others, strict=True)]


async def p99s(loaded: Sequence[tuple[LoadedServer, Sequence[bytes]]], rate: float) -> list[list[float]]:
    """Of each, in seconds, in turns of a few seconds: one hiccup of the machine is a p99 of its own."""
    turns = [[await _p99(one, requests, rate) for one, requests in loaded] for _ in range(_HALF_LOAD_TURNS)]
    return [list(of_one) for of_one in zip(*turns, strict=True)]


async def _p99(one: LoadedServer, requests: Sequence[bytes], rate: float) -> float:
    count = int(rate * _HALF_LOAD_SECONDS)
    found = await waits(one.address, list(islice(cycle(requests), count)), rate=rate)
    return found[int(len(found) * 0.99)]


@asynccontextmanager
async def server(kind: str, environment: dict[str, str]) -> AsyncIterator[LoadedServer]:
    """`bare` or `ours` in a process of its own."""
    async with started(kind, (sys.executable, "-m", "benchmarks._ingress_server", kind), environment) as loaded:
        yield loaded


@asynccontextmanager
async def started(name: str, command: Sequence[str], environment: dict[str, str]) -> AsyncIterator[LoadedServer]:
    """A server that prints its address first and ends with its standard input."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=os.environ | environment
    )
    assert process.stdin
    assert process.stdout
    try:
        if not (address := (await process.stdout.readline()).decode().strip()):
            raise RuntimeError(f"the {name} server did not start")
        yield LoadedServer(name, address, psutil.Process(process.pid))
    finally:
        process.stdin.close()
        await process.wait()


def webhooks(shop: Shop, count: int) -> tuple[list[bytes], list[bytes]]:
    """Recorded bodies for bare and for ours, of as many conversations as the recordings have."""
    bodies = list(islice(recorded_bodies(shop.account_id), count))
    keys = [f"{shop.id}:conversation:{number % 200}" for number in range(count)]
    bare = [request(f"/bare/{WEBHOOKS.name}?{key}", _json(), body) for key, body in zip(keys, bodies, strict=True)]
    delivery = {"x-chatwoot-delivery": str(uuid.uuid4())}
    ours = [request(shop.door, signed(shop, body, at=datetime.now(UTC)) | delivery, body) for body in bodies]
    return bare, ours


async def beacons(address: str, shop: Shop, count: int) -> tuple[list[bytes], list[bytes]]:
    """POSTs of ten events, from as many sessions as there are pages open."""
    posts: list[tuple[str, bytes]] = []
    async with httpx.AsyncClient(base_url=address) as client:
        visitors = [PageVisitor(client, shop.website_token, ORIGIN, Clock()) for _ in range(50)]
        for visitor in visitors:
            await visitor.arrive()
        for visitor in islice(cycle(visitors), count):
            events = [visitor.event("page_viewed", page_url=_PAGE, referrer=ORIGIN) for _ in range(EVENTS)]
            beacon = {"token": visitor.config["token"], "consent": ["analytics"], "events": events}
            posts.append((visitor.config["session"], orjson.dumps(beacon)))
    headers = {"content-type": "text/plain;charset=UTF-8", "origin": ORIGIN, "user-agent": _BROWSER}
    bare = [request(f"/bare/{WIDGET_EVENTS.name}?{shop.id}:{name}", headers, body) for name, body in posts]
    return bare, [request("/beacons", headers, body) for _, body in posts]


def recorded_bodies(account_id: int) -> Iterator[bytes]:
    """Over and over; those that name an account name the shop's."""
    recorded = [one.body for run in RUNS for one in account_webhooks(run) if len(one.body) <= _LONGEST]
    return cycle([_of_account(body, account_id) for body in recorded])


def _of_account(body: bytes, account_id: int) -> bytes:
    body_json = orjson.loads(body)
    for part in (body_json, body_json.get("conversation") or {}):
        if "account" in part:
            part["account"]["id"] = account_id
        for message in part.get("messages") or ():
            message["account_id"] = account_id
    return orjson.dumps(body_json)


def _json() -> dict[str, str]:
    """Bare gets as many headers as Chatwoot sends."""
    return {"content-type": "application/json", "x-a": "0" * 10, "x-b": "0" * 71, "x-c": "0" * 36}
