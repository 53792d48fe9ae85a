"""The system beside two stores, an honest one and one that attacks; as compose.yaml has it: the doors in a process of
their own, and what consumes in another."""

import asyncio
import contextlib
import os
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
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
from local.stack.servers import kafka
from services.kernel.secrets import load_secrets
from tests.chaos.installation import Installation
from tests.chaos.processes import Worker, started
from tests.chaos.running import run, sender, topics_of_its_own
from tests.eventually import eventually
from tests.hostile.chatwoot import ANSWERS
from tests.hostile.honest import CUSTOMERS, Honest, customer_of
from tests.hostile.tenant import Store, Target
from tests.hostile.weights import as_others, before_others
from tests.services.attached import ACCOUNT_ID, TOKEN, authorize
from tests.services.ingress.bench import Shop, open_shop

_ROOT = Path(__file__).parents[2]
_API_TOKEN = "token-of-whoever-asks-for-reports"
_LOOK_SECONDS = 0.1
_AT_ONCE = 6
_CONSUMERS = ("conversations", "widget", "customers", "contacts", "control", "privacy")
_SLOW_DOORS = ("tests.hostile.slow_doors", "run", "ingress")
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
        """Not of a wave's end."""
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


@dataclass(frozen=True)
class Pace:
    """How the honest store sends, and how long the calm before each wave of acts is."""

    timed: bool  # whether times are judged
    per_second: float
    patience_seconds: float
    calm_seconds: float
    rest_seconds: float  # before that: for what the wave before left to be done
    acts_a_wave: int


@dataclass
class Scene:
    """What the judge looks at."""

    installation: Installation
    admin: Pool
    workers: Sequence[Worker]  # the doors first
    honest: Honest
    double: Double
    target: Target
    pace: Pace
    weighted: bool = False  # whether the doors, Kafka and the honest sender come before others
    calm: list[Span] = field(default_factory=list)
    waves: list[Span] = field(default_factory=list)
    attack: Attack = field(default_factory=Attack)
    peak_bytes: int = 0
    ended_during: list[str] | None = None  # the acts under way when the process ended by itself

    async def attacks(self, *, seed: int, count: int, names: Sequence[str]) -> None:
        """Let the attacker do so many of these acts, in waves, with a calm before each.

        Returns early if one of the system's processes ends.
        """
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
        orders = {"seed": seed, "at_once": _AT_ONCE, "names": list(names), "timed": self.pace.timed}
        try:
            process.stdin.write(orjson.dumps(orders | {"target": asdict(self.target)}) + b"\n")
            for begin in range(0, count, self.pace.acts_a_wave):
                await asyncio.sleep(self.pace.rest_seconds)
                self.calm.append(await _span("calm", asyncio.sleep(self.pace.calm_seconds)))
                process.stdin.write(b"%d\n" % min(self.pace.acts_a_wave, count - begin))
                self.waves.append(await _span("wave", self._wave(process.stdout)))
            process.stdin.close()
            assert await process.wait() == 0, Path(log.name).read_text()[-2000:]
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _wave(self, lines: asyncio.StreamReader) -> None:
        """Hear of its acts until it has ended, or the attacker has."""
        async for line in lines:
            said = orjson.loads(line)
            if "wave" in said:
                return
            self.attack.hear(said)

    async def _watch(self) -> None:
        """Returns when a process of the system has ended; notes how much memory one took at most."""
        looked_at = [psutil.Process(worker.pid) for worker in self.workers]
        ended = {asyncio.create_task(worker.ended()) for worker in self.workers}
        with contextlib.suppress(psutil.NoSuchProcess):
            while not any(one.done() for one in ended):
                self.peak_bytes = max(self.peak_bytes, *(one.memory_info().rss for one in looked_at))
                await asyncio.wait(ended, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
        for one in ended:
            one.cancel()
        self.ended_during = sorted(set(self.attack.under_way.values())) or ["no act"]


async def _span(name: str, work: Awaitable[None]) -> Span:
    """When it was under way."""
    begin = datetime.now(UTC)
    await work
    return Span(name, begin, datetime.now(UTC))


@asynccontextmanager
async def at_work(installation: Installation, pace: Pace, *, slow_doors: bool = False) -> AsyncIterator[Scene]:
    """The system runs, both stores are attached, the honest one's pages are open."""
    (hostile_port,) = free_ports(1)
    # Beside other tests its turn to be judged may come late to one of twelve bodies of 4 MB: refused for that, 503.
    patient = {} if pace.timed else {"WOOTSTREAM_ANSWER_SECONDS": str(pace.patience_seconds)}
    doors, consumers = (
        run(installation, "ingress", more=patient),
        run(installation, *_CONSUMERS, more={"WOOTSTREAM_API_TOKEN": _API_TOKEN}),
    )
    for measured in (doors, consumers):  # its memory
        measured.forked = False
    if slow_doors:
        doors.command = _SLOW_DOORS
    address, double = _address(doors), Double()
    async with topics_of_its_own(installation), _admin(installation) as admin, serving(double) as base_url:
        shop = await _open(installation, admin, double, base_url)
        target = await _hostile(installation, admin, (address, _address(consumers)), hostile_port, shop)
        async with started(doors, consumers), sender(doors) as client, sender(consumers) as reports:
            await eventually(lambda: _ready(client))
            await eventually(lambda: _ready(reports))
            honest = Honest(address, shop, pace.per_second, pace.patience_seconds)
            scene = Scene(installation, admin, (doors, consumers), honest, double, target, pace)
            await honest.arrive()
            with _first(*(_answering(installation, doors) if pace.timed else ())) as scene.weighted:
                yield scene


def _answering(installation: Installation, doors: Worker) -> tuple[int, ...]:
    """Whose time a sender waits for, as compose.yaml weighs them, and the sender, who has a machine of its own."""
    node = kafka.server(installation.directory).running()
    assert node is not None
    return doors.pid, node.pid, os.getpid()


@contextlib.contextmanager
def _first(*pids: int) -> Iterator[bool]:
    """These come before others, if we may say so."""
    try:
        yield bool(pids) and sum(map(before_others, pids)) == len(pids)
    finally:
        for pid in pids:
            as_others(pid)


def _address(worker: Worker) -> str:
    return f"http://{HOST}:{worker.settings.http_port}"


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


async def _hostile(
    installation: Installation, admin: Pool, addresses: tuple[str, str], port: int, honest: Shop
) -> Target:
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
        address=addresses[0],
        reports=addresses[1],
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
