"""`demo`: everything at once on this machine, for some seconds; at its end the figures and the proof."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from db.migrate import migrate
from local.chatwoot.app import serving
from local.chatwoot.double import Double
from local.demo import services, shops, store_numbers, summary
from local.demo.services import Running
from local.demo.shops import DemoStore
from local.demo.traffic import Answers, traffic
from local.process_environment import environment_of
from local.stack import resolve
from local.stack.packages.jars import FetchProgress as Fetching
from local.stack.servers import kafka
from services.control.ledger.answer import Audit
from services.control.ledger.audit import audit
from services.ingress.spool.status import records_in
from services.kernel.kafka.topics import ensure_topics
from services.kernel.settings import Settings

_DRAIN_SECONDS = 120.0
_POLL_SECONDS = 0.5
_stderr = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Wish:
    """How long (0: until `enough`), how many webhooks a second (None: as fast as it goes); `sending` while it does."""

    seconds: float
    per_second: float | None
    seed: int
    enough: asyncio.Event
    sending: asyncio.Event


async def run(given: Settings, wish: Wish, fetching: Fetching) -> int:
    """The whole demo; answers its exit code: 0 only if all was taken and the audit is clean. Raises Unavailable."""
    async with _installation(given, fetching) as settings:
        double = Double()
        stores = shops.open_accounts(double)
        async with serving(double) as chatwoot:
            for store in stores:
                await shops.attach(settings, store, chatwoot=chatwoot)
            log = settings.data_directory / "demo" / "services.log"
            async with services.running(environment_of(settings), log) as running:
                for store in stores:
                    shops.hear(double, store, running.address)
                answers, seconds = await _send(running.address, double, stores, wish)
                await double.deliveries.settled()
                verdict = await drained(settings)
                await _tell(settings, running.address, stores)
                memory = store_numbers.memory(_processes(settings, running))
    summary.show_end(answers, seconds, memory, verdict)
    return 0 if verdict.clean and not verdict.under_way and not answers.refused else 1


@asynccontextmanager
async def _installation(given: Settings, fetching: Fetching) -> AsyncIterator[Settings]:
    """Kafka and PostgreSQL found or started, migrated, with their topics."""
    began = time.monotonic()
    async with resolve(
        given.stack_directory,
        kafka_bootstrap_servers=given.kafka_bootstrap_servers,
        database_url=given.database_url.get_secret_value() if given.database_url else None,
        kind=given.stack,
        over_tls=given.stack_tls,
        progress=fetching,
    ) as stack:
        _stderr.print(f"Kafka and PostgreSQL are up after {time.monotonic() - began:.1f} s")
        ours = {"chatwoot_private_addresses": True}  # its double is on this machine
        settings = Settings.model_validate(given.model_dump(exclude_unset=True) | stack.settings | ours)
        await migrate(stack.database_url)
        await ensure_topics(settings)
        yield settings


async def _send(address: str, double: Double, stores: Sequence[DemoStore], wish: Wish) -> tuple[Answers, float]:
    """Traffic until it is enough: what was answered, and the seconds it took."""
    if wish.seconds:
        asyncio.get_running_loop().call_later(wish.seconds, wish.enough.set)
    wish.sending.set()
    _stderr.print("sending; Ctrl-C ends it and shows what became of it")
    total = wish.seconds * wish.per_second if wish.seconds and wish.per_second else None
    began = time.monotonic()
    with _bar() as bar:
        task = bar.add_task("webhooks", total=total)
        answers = await traffic(
            address,
            double,
            stores,
            seed=wish.seed,
            per_second=wish.per_second,
            until=wish.enough,
            moved=lambda: bar.advance(task),
        )
    return answers, time.monotonic() - began


async def drained(settings: Settings) -> Audit:
    """The audit once nothing is under way and nobody is due, or as it is when that takes too long."""
    give_up_at = time.monotonic() + _DRAIN_SECONDS
    _stderr.print("waiting until all is consumed")
    while True:
        verdict = await audit(settings)
        # What only just went into a spool, no ingress has told yet. A consumed record may still leave somebody due, and
        # sending to Chatwoot brings new webhooks.
        waiting = verdict.under_way or records_in(settings.data_directory / "spool")
        idle = not waiting and not await store_numbers.people_due(settings)
        if idle or time.monotonic() > give_up_at:
            return verdict
        await asyncio.sleep(_POLL_SECONDS)


async def _tell(settings: Settings, address: str, stores: Sequence[DemoStore]) -> None:
    async with httpx.AsyncClient(base_url=address, timeout=10) as client:
        summary.show_stores(await store_numbers.by_store(client, settings, [store.place.slug for store in stores]))


def _processes(settings: Settings, running: Running) -> dict[str, int]:
    """PostgreSQL, a family of processes that share their memory, is left out: its sum would say nothing."""
    found = {"services": running.pid, "demo with Chatwoot's double": os.getpid()}
    if note := kafka.server(settings.stack_directory).running():
        found["Kafka"] = note.pid
    return found


def _bar() -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description} {task.completed:,.0f}"),
        BarColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=_stderr, transient=True, disable=not _stderr.is_terminal)
