"""Kafka goes away under steady webhooks at the real door. The long round: `OUTAGE_SECONDS=60 OUTAGE_RATE=2000`."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import httpx
import pytest

from db.pool import use_json
from local.stack.machine.ports import free_ports
from services.control.ledger.audit import audit
from services.kernel.kafka.topics import ensure_topics
from tests.chaos.installation import Installation
from tests.chaos.processes import Worker
from tests.chaos.senders import Senders, numbers_in_topic, sending
from tests.eventually import eventually
from tests.services.ingress.bench import Shop, open_shop
from tests.services.ingress.spool.small_disk import fill, give_back, mounted

pytestmark = pytest.mark.chaos
_SECONDS, _RATE = int(os.environ.get("OUTAGE_SECONDS", 10)), int(os.environ.get("OUTAGE_RATE", 300))
_INGRESS = ("services.cli", "run", "ingress")


@dataclass(frozen=True)
class Door:
    """The ingress as a process of its own, and the store whose webhooks it takes."""

    installation: Installation
    worker: Worker
    address: str
    shop: Shop

    async def ready(self) -> str:
        """What /ready says."""
        async with httpx.AsyncClient() as client:
            return (await client.get(f"{self.address}/ready", timeout=10)).text

    async def opens(self) -> None:
        async def open_() -> bool:
            try:
                return await self.ready() == "ok"
            except httpx.TransportError:
                return False

        await eventually(open_)

    async def is_direct_again(self) -> None:
        """Everything spooled is in Kafka, and Kafka comes first."""

        async def direct() -> bool:
            async with httpx.AsyncClient() as client:
                told = (await client.get(f"{self.address}/metrics", timeout=10)).text
            return "wootstream_spooling 0.0" in told and "wootstream_spool_records 0.0" in told

        await eventually(direct, seconds=60 + 2 * _SECONDS)

    async def takes(self, senders: Senders, seconds: float) -> None:
        """Wait until so many seconds' worth of webhooks were accepted."""
        enough = len(senders.accepted) + seconds * senders.per_second
        await eventually(lambda: len(senders.accepted) >= enough, seconds=60 + 5 * seconds)


@asynccontextmanager
async def door(installation: Installation, directory: Path) -> AsyncIterator[Door]:
    """`wootstream run ingress` with a data directory of its own."""
    (port,) = free_ports(1)
    settings = installation.settings.model_copy(update={"data_directory": directory, "http_port": port})
    await ensure_topics(settings)
    assert settings.database_url is not None
    async with asyncpg.create_pool(settings.database_url.get_secret_value(), min_size=1, init=use_json) as admin:
        shop = await open_shop(admin, settings)
    worker = Worker(_INGRESS, settings, directory.parent / "ingress.log")
    opened = Door(replace(installation, settings=settings), worker, f"http://127.0.0.1:{port}", shop)
    try:
        await worker.start()
        await opened.opens()
        yield opened
    finally:
        await worker.end()


async def test_kafka_away_under_load_refuses_nobody_loses_nothing_and_the_audit_is_clean(
    installation: Installation, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    async with door(installation, tmp_path / "data") as ingress:
        async with sending(ingress.address, ingress.shop, per_second=_RATE) as senders:
            await ingress.takes(senders, 2)
            begin = time.monotonic()
            await installation.kill("kafka")
            await ingress.takes(senders, _SECONDS)
            back = time.monotonic()
            await installation.revive()
            await ingress.is_direct_again()
        assert await ingress.worker.stop() == 0, ingress.worker.told()
        settings = ingress.installation.settings
        stored, found = await numbers_in_topic(settings, ingress.shop), await audit(settings)

    print(f"{len(senders.accepted)} accepted, {stored.total() - len(stored)} twice, away {back - begin:.1f} s")
    print(f"p99 while away {senders.p99(begin, back):.3f} s")
    assert dict(senders.answers) == {204: len(senders.accepted)}
    assert set(stored) == set(senders.accepted)
    assert (found.missing, found.halted) == (0, [])  # nobody consumes here


async def test_ingress_killed_in_the_outage_and_a_disk_that_fills_lose_nothing_that_was_accepted(
    installation: Installation, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    with mounted(tmp_path / "data", megabytes=64 + _SECONDS * _RATE // 1_000) as disk:
        async with door(installation, disk) as ingress:
            async with sending(ingress.address, ingress.shop, per_second=_RATE) as senders:
                await ingress.takes(senders, 2)
                await installation.kill("kafka")
                await ingress.takes(senders, _SECONDS / 2)
                await ingress.worker.kill()
                await ingress.worker.start()
                await ingress.takes(senders, _SECONDS / 2)
                fill(disk)
                await eventually(lambda: senders.answers[503] > 0)
                assert "the spool takes no more" in await ingress.ready()
                give_back(disk)
                await installation.revive()
                await ingress.is_direct_again()
                await ingress.opens()
            assert await ingress.worker.stop() == 0, ingress.worker.told()
            settings = ingress.installation.settings
            stored, found = await numbers_in_topic(settings, ingress.shop), await audit(settings)

    print(f"{len(senders.accepted)} accepted, answers {dict(senders.answers)}, {stored.total() - len(stored)} twice")
    assert set(senders.answers) <= {0, 204, 503}
    assert set(senders.accepted) <= set(stored)
    assert (found.missing, found.halted) == (0, [])  # nobody consumes here
