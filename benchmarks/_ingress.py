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

import httpx
import orjson
import psutil

from benchmarks._load import throughput
from local.demo.visitors import PageVisitor
from schemas.topics import WEBHOOKS, WIDGET_EVENTS
from services.kernel import Clock
from tests.recordings.recorded import RUNS, account_webhooks
from tests.services.ingress.bench import ORIGIN, Shop, signed
from tests.services.ingress.wire import request

EVENTS = 10  # in a POST
_LONGEST = 16 * 1024  # a few recorded bodies are 900 kB: they would measure the network
_PAGE = "https://shop.example/products/lamp-40?utm_source=mail"
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass(eq=False)
class LoadedServer:
    """A process under measurement, and what it showed round by round; CPU in seconds a request."""

    address: str
    process: psutil.Process
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    async def round(self, requests: Sequence[bytes]) -> None:
        before = self._cpu_seconds()
        self.rates.append(await throughput(self.address, requests))
        self.cpu.append((self._cpu_seconds() - before) / len(requests))

    def _cpu_seconds(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


@asynccontextmanager
async def server(kind: str, environment: dict[str, str]) -> AsyncIterator[LoadedServer]:
    """`bare` or `ours` in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks._ingress_server", kind),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | environment,
    )
    assert process.stdin
    assert process.stdout
    try:
        if not (address := (await process.stdout.readline()).decode().strip()):
            raise RuntimeError(f"the {kind} server did not start")
        yield LoadedServer(address, psutil.Process(process.pid))
    finally:
        process.stdin.close()
        await process.wait()


def webhooks(shop: Shop, count: int) -> tuple[list[bytes], list[bytes]]:
    """Recorded bodies for bare and for ours, of as many conversations as the recordings have."""
    bodies = list(islice(_bodies(shop.account_id), count))
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


def _bodies(account_id: int) -> Iterator[bytes]:
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
