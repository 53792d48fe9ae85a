"""How long a file of stores takes: apply, the same again, check, doctor; and what they cost the doors that know them.

The verbs and the doors are the processes that an operator starts, at the default pace of 40 calls a second, against
Chatwoot's double in this process. A poll is one look for changed stores, as each ingress makes it every 8 s: its share
of a core is reckoned from the time that it takes, which counts PostgreSQL's part, too.
`python -m benchmarks.stores --stores 300 --json` ends with one object.
"""

import asyncio
import os
import resource
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import yaml
from prometheus_client import CollectorRegistry

from benchmarks._command import command
from benchmarks._stack import open_stack
from db.migrate import migrate
from local.chatwoot.app import serving
from local.chatwoot.double import Double
from local.process_environment import environment_of
from services.ingress.metrics import IngressMetrics
from services.ingress.stores.store_cache import POLL_SECONDS, StoreCache
from services.kernel import Process, Settings
from services.kernel.kafka.topics import ensure_topics
from services.kernel.run import collect_seldom
from tests.services.ingress.running import loading

_SOME = 50
_FINDINGS = (0, 1, 3)  # the doctor's exit codes: what it finds is not measured here
_TOKEN = "PLATFORM_TOKEN"  # noqa: S105  # the variable's name


class Unexpected(Exception):
    """A verb did something else than what is measured."""


@dataclass
class StoresBench:
    """An installation with a file of stores, and the seconds that each step took."""

    settings: Settings
    file: Path
    slugs: list[str]
    token: str
    seconds: dict[str, float] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)  # of the verb's own process

    async def verb(self, name: str, *arguments: str, codes: tuple[int, ...] = (0,)) -> Any:
        """What it answers with --json; its seconds, from start to end of the process, are noted as `name`."""
        with self._timed(name):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.cli", *arguments, "--json",
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                env=os.environ | environment_of(self.settings) | {_TOKEN: self.token},
            )  # fmt: skip
            out, err = await process.communicate()
        if process.returncode not in codes:
            raise Unexpected(f"{' '.join(arguments)} ends with {process.returncode}: {(out or err).decode()[-500:]}")
        return orjson.loads(out)

    async def nothing_changes(self, name: str, *only: str) -> None:
        answers = await self.verb(name, "stores", "apply", str(self.file), *(f"--store={slug}" for slug in only))
        if any(one["changes"] for one in answers):
            raise Unexpected("a second apply changes something")

    async def ingress(self, name: str) -> None:
        """From its start until it is ready."""
        folder = self.settings.data_directory / "doors"
        folder.mkdir(exist_ok=True)
        key = self.settings.data_directory / "installation.key"
        with self._timed(name):
            async with (
                loading(self.settings, folder, WOOTSTREAM_INSTALLATION_KEY_FILE=str(key)) as ours,
                httpx.AsyncClient(base_url=ours.address) as client,
            ):
                while (await client.get("/ready")).status_code != 200:
                    await asyncio.sleep(0.01)
                self.seconds[name] = time.perf_counter() - self._begun  # what it takes to stop is not its start

    async def polls(self, count: int) -> dict[str, float]:
        """Median seconds of a poll that finds nothing new, and of the process within; of the first, which reads all."""
        process = Process(self.settings)
        cache = StoreCache(process, IngressMetrics(CollectorRegistry()))
        collect_seldom()
        elapsed, own = [], []
        try:
            for _ in range(count + 1):
                began, used = time.perf_counter(), time.process_time()
                await cache.refresh()
                elapsed.append(time.perf_counter() - began)
                own.append(time.process_time() - used)
            known = len(cache.known.by_id)
        finally:
            await process.close()
        if known != len(self.slugs):
            raise Unexpected(f"the doors know {known} of {len(self.slugs)} stores")
        return {
            "first": elapsed[0],
            "poll": statistics.median(elapsed[1:]),
            "poll_processor": statistics.median(own[1:]),
        }

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        self._begun, used = time.perf_counter(), _of_children()
        yield
        self.seconds.setdefault(name, time.perf_counter() - self._begun)
        self.processor[name] = _of_children() - used
        print(f"{name}: {self.seconds[name]:.2f} s, of a core {self.processor[name]:.2f} s")


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def measure(stores: int, rounds: int) -> dict[str, Any]:
    """Every step once, in an installation of its own; `rounds` polls."""
    async with (
        open_stack() as (stack, folder),
        _bench(Settings.model_validate(stack.settings), folder, stores) as bench,
    ):
        await bench.verb("apply", "stores", "apply", str(bench.file))
        await bench.nothing_changes("second apply")
        some = bench.slugs[:_SOME]
        await bench.nothing_changes(f"second apply of {len(some)}", *some)
        await bench.verb("check", "stores", "check", str(bench.file))
        await bench.verb("doctor", "doctor", codes=_FINDINGS)
        await bench.ingress("start of an ingress")
        await bench.ingress("start of an ingress that has been here")
        polled = await bench.polls(rounds)
    share = polled["poll"] / POLL_SECONDS
    print(f"first look of the doors: {polled['first']:.3f} s")
    print(
        f"one poll: {polled['poll'] * 1000:.1f} ms, {polled['poll_processor'] * 1000:.1f} of them in the ingress: "
        f"{share:.2%} of a core every {POLL_SECONDS:g} s"
    )
    figures = bench.seconds | {"first look of the doors": polled["first"], "one poll": polled["poll"],
                               "processor of one poll": polled["poll_processor"]}  # fmt: skip
    figures |= {f"processor of {name}": seconds for name, seconds in bench.processor.items()}
    return {
        "name": "stores",
        "stores": stores,
        "ratios": {"poll_of_a_core": round(share, 5)},
        "figures": {f"{name.replace(' ', '_')}_seconds": round(seconds, 4) for name, seconds in figures.items()},
    }


@asynccontextmanager
async def _bench(settings: Settings, folder: Path, stores: int) -> AsyncIterator[StoresBench]:
    assert settings.database_url
    await migrate(settings.database_url.get_secret_value())
    ours = {"data_directory": folder, "http_port": 0, "chatwoot_private_addresses": True}
    settings = Settings.model_validate(settings.model_dump(exclude_unset=True) | ours)
    await ensure_topics(settings)
    double = Double()
    async with serving(double) as address:
        slugs = [f"shop-{number:03d}" for number in range(stores)]
        entries = {slug: {"domain": f"{slug}.example", "locale": "nl", "labels": ["vip"]} for slug in slugs}
        file = folder / "stores.yaml"
        server = {"base_url": address, "platform_token": f"env:{_TOKEN}"}
        file.write_text(yaml.safe_dump({"chatwoots": {"main": server}, "stores": entries}))
        yield StoresBench(settings, file, slugs, double.state.platform_token)


if __name__ == "__main__":
    command(
        measure,
        "many stores: their verbs, and what they cost the doors",
        amount="stores",
        default=300,
        rounds=50,
    )
