"""The whole system as one process beside two stores: an honest one, and one that attacks."""

import asyncio
import contextlib
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import httpx
import orjson
import psutil

from db.pool import Pool, use_json
from local.chatwoot import seed as seeds
from local.chatwoot.app import serving
from local.chatwoot.double import Double
from local.stack.machine.ports import HOST, free_ports
from services.kernel.secrets import load_secrets
from tests.chaos.installation import Installation
from tests.chaos.processes import Worker, started
from tests.chaos.running import run, sender, topics_of_its_own
from tests.eventually import eventually
from tests.hostile.chatwoot import ANSWERS
from tests.hostile.honest import CUSTOMERS, Honest, customer_of
from tests.hostile.tenant import Store, Target
from tests.services.attached import ACCOUNT_ID, TOKEN, authorize
from tests.services.ingress.bench import Shop, open_shop

_ROOT = Path(__file__).parents[2]
_API_TOKEN = "token-of-whoever-asks-for-reports"
_LOOK_SECONDS = 0.1
_AT_ONCE = 6
_HOSTILE_ACCOUNT = 1000
# A tunnel or a transfer coding that nobody has, a Chatwoot that does not tell what a comparison needs, a version.
_NOT_OURS = (501, 502, 505)
HOSTILE_ORIGIN = "https://hostile.example"
# When a row was stored is nobody's business but ours: the columns exist in the test's own database alone.
_STORED_AT = """
alter table wootstream.messages add column stored_at timestamptz default clock_timestamp();
alter table wootstream.orders add column stored_at timestamptz default clock_timestamp();
alter table public.chatwoot_widget_events add column stored_at timestamptz default clock_timestamp();
"""


class Span(NamedTuple):
    """When an act was under way."""

    name: str
    begin: datetime
    end: datetime


@dataclass
class Attack:
    """What the attacker said of its acts."""

    acts: Counter[str] = field(default_factory=Counter)
    under_way: dict[int, str] = field(default_factory=dict)
    spans: dict[int, Span] = field(default_factory=dict)
    answers: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    ends: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    @property
    def faults(self) -> list[str]:
        return [how for ends in self.ends.values() for how in ends if how.startswith("fault")]

    @property
    def server_errors(self) -> dict[str, dict[int, int]]:
        """Act → its answers of 5xx, but for those that say what the sender, or its Chatwoot, does."""
        found = {
            name: {s: n for s, n in answers.items() if s >= 500 and s not in _NOT_OURS}
            for name, answers in self.answers.items()
        }
        return {name: errors for name, errors in found.items() if errors}

    def hear(self, line: dict[str, Any]) -> None:
        number, name, now = line["number"], line["act"], datetime.now(UTC)
        if "how" not in line:
            self.under_way[number] = name
            self.spans[number] = Span(name, now, now)
            return
        self.spans[number] = self.spans[number]._replace(end=now)
        del self.under_way[number]
        self.acts[name] += 1
        self.ends[name][line["how"]] += 1
        self.answers[name].update({int(status): times for status, times in line["answers"].items()})


@dataclass
class Scene:
    """What the judge looks at."""

    installation: Installation
    admin: Pool
    worker: Worker
    honest: Honest
    double: Double
    target: Target
    attack: Attack = field(default_factory=Attack)
    peak_bytes: int = 0
    ended_during: list[str] | None = None  # the acts under way when the process ended by itself

    async def attacks(self, *, seed: int, count: int, names: Sequence[str]) -> None:
        """Let the attacker do so many of these acts; returns early if the system's process ends."""
        attacker = asyncio.create_task(self._attacker(seed, count, names))
        ended = asyncio.create_task(self._watch())
        await asyncio.wait({attacker, ended}, return_when=asyncio.FIRST_COMPLETED)
        for task in (attacker, ended):
            task.cancel()
        for outcome in await asyncio.gather(attacker, ended, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    async def _attacker(self, seed: int, count: int, names: Sequence[str]) -> None:
        with (self.installation.settings.data_directory / "attacker.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.hostile.attacker", cwd=_ROOT,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        orders = {
            "target": asdict(self.target),
            "seed": seed,
            "count": count,
            "at_once": _AT_ONCE,
            "names": list(names),
        }
        try:
            process.stdin.write(orjson.dumps(orders) + b"\n")
            await process.stdin.drain()
            async for line in process.stdout:
                self.attack.hear(orjson.loads(line))
            assert await process.wait() == 0, Path(log.name).read_text()[-2000:]
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _watch(self) -> None:
        """Returns when the system's process has ended; notes how much memory it took at most."""
        looked_at, ended = psutil.Process(self.worker.pid), asyncio.create_task(self.worker.ended())
        with contextlib.suppress(psutil.NoSuchProcess):
            while not ended.done():
                self.peak_bytes = max(self.peak_bytes, looked_at.memory_info().rss)
                await asyncio.wait({ended}, timeout=_LOOK_SECONDS)
        await ended
        self.ended_during = sorted(set(self.attack.under_way.values())) or ["no act"]


@asynccontextmanager
async def at_work(installation: Installation, *, per_second: float, patience_seconds: float) -> AsyncIterator[Scene]:
    """The system runs, both stores are attached, the honest one's pages are open."""
    (hostile_port,) = free_ports(1)
    worker = run(installation, more={"WOOTSTREAM_API_TOKEN": _API_TOKEN})
    address, double = f"http://{HOST}:{worker.settings.http_port}", Double()
    async with topics_of_its_own(installation), _admin(installation) as admin, serving(double) as base_url:
        shop = await _open(installation, admin, double, base_url)
        target = await _hostile(installation, admin, address, hostile_port, shop)
        async with started(worker), sender(worker) as client:
            await eventually(lambda: _ready(client))
            scene = Scene(
                installation, admin, worker, Honest(address, shop, per_second, patience_seconds), double, target
            )
            await scene.honest.arrive()
            yield scene


@asynccontextmanager
async def _admin(installation: Installation) -> AsyncIterator[Pool]:
    """The administrator's connections, and the columns that say when a row was stored."""
    assert installation.settings.database_url is not None
    url = installation.settings.database_url.get_secret_value()
    pool: Pool = await asyncpg.create_pool(url, min_size=0, max_size=4, timeout=30, init=use_json)
    async with pool.acquire() as conn:
        await conn.execute(_STORED_AT)
    try:
        yield pool
    finally:
        await pool.close()


async def _open(installation: Installation, admin: Pool, double: Double, base_url: str) -> Shop:
    """The honest store, whose customers its Chatwoot knows."""
    account = seeds.add_account(double, ACCOUNT_ID, token=TOKEN)
    for number in range(CUSTOMERS):
        seeds.add_contact(double, account, id=number + 1, identifier=customer_of(number))
    shop = await open_shop(admin, installation.settings, push="live", chatwoot_base_url=base_url)
    await authorize(admin, shop.id, load_secrets(installation.settings))
    return shop


async def _hostile(installation: Installation, admin: Pool, address: str, port: int, honest: Shop) -> Target:
    """The hostile tenant's stores: one for the doors and topics, and one for each answer of its Chatwoot."""
    keys, stores = load_secrets(installation.settings), {}
    for number, answer in enumerate(ANSWERS):
        shop = await open_shop(
            admin, installation.settings, account_id=_HOSTILE_ACCOUNT + number, push="live", create_contacts=True,
            chatwoot_base_url=f"http://{HOST}:{port}/{answer}", domains=[HOSTILE_ORIGIN.removeprefix("https://")],
        )  # fmt: skip
        await authorize(admin, shop.id, keys)
        stores[answer] = _as_told(shop)
    return Target(
        address=address,
        kafka=str(installation.settings.kafka_bootstrap_servers),
        origin=HOSTILE_ORIGIN,
        api_token=_API_TOKEN,
        chatwoot_port=port,
        store=stores["honest-enough"],
        by_answer=stores,
        honest_slug=honest.slug,
        honest_website_token=honest.website_token,
    )


def _as_told(shop: Shop) -> Store:
    return Store(shop.slug, shop.secret, shop.event_secret, shop.website_token, shop.account_id, str(shop.id))


async def _ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/ready")).is_success
    except httpx.TransportError:
        return False
