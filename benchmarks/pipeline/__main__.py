"""Recorded webhooks from door to figures, each service in a process of its own: how many a second, and at what cost.

A store's webhooks are the recordings', signed, each store's once. A short stretch shows what a webhook costs all
processes together, this one that sends them included; from that follows the rate that is tried. It is sustained when
what the ledger has yet to count at the end is less than a second's worth; then half as much more is tried, else a
fifth less. `cpu_us` are µs of processor time a webhook by process, PostgreSQL and Kafka with all of theirs.
`python -m benchmarks.pipeline --json` ends with one object.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import psutil

from benchmarks._command import command
from benchmarks._load import waits
from benchmarks._stack import open_stack
from db.migrate import migrate
from db.pool import Pool, use_json
from local.stack import Stack
from services.kernel import Settings
from services.kernel.kafka.topics import ensure_topics
from tests.recordings.recorded import RUNS, account_webhooks, stores
from tests.services.ingress.bench import open_shop, signed
from tests.services.ingress.wire import request

_SERVICES = ("ingress", "conversations", "contacts")
_FIRST_RATE, _FIRST_SECONDS = 150, 6
_BELOW_FULL = 0.9  # of what all cores could do if nothing else ran on them
_AGAIN, _MORE = 0.8, 1.5  # batches grow with the rate, and a webhook costs less
_MOST_TRIES = 6
_DRAIN_SECONDS = 300
_CONSUMED = """
select consumer_group, coalesce(sum(consumed), 0)::bigint as consumed from wootstream.ledger
where topic = 'chatwoot.webhooks' group by consumer_group
"""
_MAIN = "from services.cli import main; main()"


class Pipeline:
    """The processes under measurement, and what they have done so far."""

    def __init__(self, address: str, processes: Mapping[str, psutil.Process], admin: Any) -> None:
        self.address = address
        self._processes = processes
        self._admin = admin
        self._sent = 0

    async def run(self, requests: Sequence[bytes], rate: float) -> tuple[dict[str, float], int, float]:
        """Send at this rate: µs a webhook by process once all is consumed, what then waited, and the door's p99."""
        before = self._cpu_seconds()
        waited = await waits(self.address, requests, rate=rate)
        self._sent += len(requests)
        lag = await self._lag()
        await self._drained()
        after = self._cpu_seconds()
        cpu = {name: (after[name] - before[name]) / len(requests) * 1e6 for name in before}
        return cpu, lag, waited[int(len(waited) * 0.99)]

    async def _lag(self) -> int:
        """Webhooks that the slowest group has yet to count."""
        consumed = {row["consumer_group"]: row["consumed"] for row in await self._admin.fetch(_CONSUMED)}
        return self._sent - min((consumed.get(group, 0) for group in ("conversations", "contacts")), default=0)

    async def _drained(self) -> None:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while await self._lag() > 0:
                await asyncio.sleep(0.1)

    def _cpu_seconds(self) -> dict[str, float]:
        return {name: _cpu_of(process) for name, process in self._processes.items()}


async def measure(seconds: int, rounds: int) -> dict[str, Any]:
    """Rounds are the tries: each at another rate than the one before."""
    async with open_stack() as (stack, folder), AsyncExitStack() as closing:
        settings = Settings(database_url=stack.database_url, kafka_bootstrap_servers=stack.kafka, data_directory=folder)
        await migrate(stack.database_url)
        await ensure_topics(settings)
        admin = await closing.enter_async_context(
            asyncpg.create_pool(stack.database_url, min_size=0, max_size=2, init=use_json)
        )
        first = await _requests(admin, settings, _FIRST_RATE * _FIRST_SECONDS)
        processes = {name: await closing.enter_async_context(_service(name, stack, folder)) for name in _SERVICES}
        address = await _address(folder / "ingress.log")
        measured = processes | {
            "kafka": _listener(stack.kafka),
            "postgresql": _listener(stack.database_url),
            "sender": psutil.Process(),
        }
        return await _search(Pipeline(address, measured, admin), admin, settings, first, seconds, rounds)


async def _search(
    pipeline: Pipeline, admin: Pool, settings: Settings, first: Sequence[bytes], seconds: int, tries: int
) -> dict[str, Any]:
    cpu, _, _ = await pipeline.run(first, _FIRST_RATE)
    rate = _BELOW_FULL * (os.cpu_count() or 1) / sum(cpu.values()) * 1e6
    best: dict[str, Any] = {"webhooks_per_second": 0}
    for _ in range(min(tries, _MOST_TRIES)):
        cpu, lag, p99 = await pipeline.run(await _requests(admin, settings, int(rate * seconds)), rate)
        flat = lag < rate
        print(f"{rate:,.0f} webhooks/s for {seconds} s: {lag:,} waited at its end, the door's p99 {p99 * 1e3:.0f} ms")
        if flat:
            best = {"webhooks_per_second": round(rate), "lag_at_the_end": lag, "door_p99_seconds": round(p99, 3),
                    "cpu_us": {name: round(one) for name, one in cpu.items()}}  # fmt: skip
        elif best["webhooks_per_second"]:
            break
        rate *= _MORE if flat else _AGAIN
    print("\n".join(_shares(best.get("cpu_us", cpu))))
    return {"name": "pipeline", "ratios": {}, "figures": best | {"seconds": seconds}}


def _shares(cpu: dict[str, float]) -> Iterable[str]:
    """Who takes how much, and what it would bring to halve it."""
    whole = sum(cpu.values())
    for name, one in sorted(cpu.items(), key=lambda item: -item[1]):
        halved = whole / (whole - one / 2)
        yield f"{name:>14} {one:7.0f} µs a webhook, {one / whole:4.0%}: at half of it {halved:.2f} times the rate"


async def _requests(admin: Pool, settings: Settings, count: int) -> list[bytes]:
    """The recordings' webhooks of as many new stores as are needed."""
    made: list[bytes] = []
    while len(made) < count:
        for run in RUNS:
            shops = {
                one["name"]: await open_shop(admin, settings, account_id=one["account"], release=one["release"])
                for one in stores(run)
            }
            for webhook in account_webhooks(run):
                shop = shops[webhook.store]
                made.append(request(shop.door, signed(shop, webhook.body, at=datetime.now(UTC)), webhook.body))
    return list(islice(made, count))


@asynccontextmanager
async def _service(name: str, stack: Stack, folder: Path) -> AsyncIterator[psutil.Process]:
    """One service as `wootstream run` starts it; its log lies in the folder."""
    more = {
        "DATABASE_URL": stack.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": stack.kafka,
        "WOOTSTREAM_HTTP_PORT": "0",
        "WOOTSTREAM_DATA_DIRECTORY": str(folder),
        "WOOTSTREAM_WEBHOOK_SKEW_SECONDS": "3600",
        "WOOTSTREAM_LOG_FORMAT": "json",
    }
    with (folder / f"{name}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _MAIN, "run", name), env=os.environ | more, stdout=log, stderr=log
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        await process.wait()


async def _address(log: Path) -> str:
    """Where the door listens, as its log says once Kafka has its producer, too."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for line in log.read_bytes().splitlines():
            if line.startswith(b"{") and (event := orjson.loads(line)).get("event") == "process_serves":
                await asyncio.sleep(2)
                return str(event["address"])
        await asyncio.sleep(0.1)
    raise RuntimeError(f"the door did not start:\n{log.read_text()}")


def _listener(address: str) -> psutil.Process:
    """The process that listens at this address of this machine."""
    port = int(address.rsplit(":", 1)[1].partition("/")[0])
    [pid, *_] = {one.pid for one in psutil.net_connections("tcp") if one.status == "LISTEN" and one.laddr.port == port}
    return psutil.Process(pid)


def _cpu_of(process: psutil.Process) -> float:
    """Its seconds, with its children's, living and ended; ours alone, for our children are the services."""
    times = process.cpu_times()
    if process.pid == os.getpid():
        return float(times.user + times.system)
    living = 0.0
    for child in process.children():
        try:
            living += sum(child.cpu_times()[:2])
        except psutil.Error:  # it ended meanwhile: its parent counts it
            continue
    return float(sum(times[:4])) + living


if __name__ == "__main__":
    command(measure, "the whole pipeline, a process for each service", amount="seconds", default=60, rounds=_MOST_TRIES)
