"""Three brokers, two of each process, the real nginx: nothing lost, doubled or refused whatever is killed or rolled."""

import random
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from aiokafka.admin import NewPartitions

from db.migrate import migrate
from db.pool import use_json
from local.stack.embedded import quiet
from local.stack.servers.brokers import BROKERS, BrokerSet, brokers
from local.stack.servers.pair import POSTGRES, end, start_missing
from schemas.topics import WEBHOOKS
from services.control.ledger.audit import audit
from services.kernel import Settings
from services.kernel.kafka.topics import Admin, ensure_topics
from tests.brokers.scene import Scene, two_of_each
from tests.eventually import eventually
from tests.services.ingress.bench import open_shop

_GROWN = 24


@asynccontextmanager
async def scene(folder: Path, *, per_second: float) -> AsyncIterator[tuple[BrokerSet, Scene]]:
    shutil.rmtree(folder, ignore_errors=True)  # of an earlier round
    folder.mkdir(parents=True)
    async with brokers(folder) as running:
        try:
            url = (await start_missing(folder, [POSTGRES], progress=quiet))[POSTGRES]
            await migrate(url)
            told = {"kafka_bootstrap_servers": running.bootstrap, "database_url": url, "kafka_replication": BROKERS}
            settings = Settings.model_validate({**told, "data_directory": folder, "session_timeout_seconds": 10.0})
            await ensure_topics(settings)
            admin = await asyncpg.create_pool(url, min_size=0, max_size=4, timeout=30, init=use_json)
            shop = await open_shop(admin, settings)
            async with two_of_each(settings, admin, shop, folder, per_second=per_second) as found:
                yield running, found
                found.traffic.end()
                await _judge(found)
            await admin.close()
        finally:
            await end([POSTGRES], folder)


async def _judge(found: Scene) -> None:
    """Everything accepted is a row, once; the groups stand at the logs' ends; the audit misses nothing."""
    traffic = found.traffic

    async def all_kept() -> bool:
        # What was on its way when the end was wanted may still be answered.
        assert await found.kept() == len(set(traffic.accepted)) == len(traffic.accepted)
        return True

    await eventually(all_kept, seconds=300)

    async def clean() -> bool:
        said = await audit(found.settings)
        assert said.clean, said
        return True

    await eventually(clean, seconds=120)
    rows = await found.ledger("conversations")
    assert sum(row["applied"] for row in rows.values()) >= len(traffic.accepted)
    assert sum(row["dead"] + row["lost"] for row in rows.values()) == 0
    assert set(traffic.answers) == {204}, traffic.answers


@pytest.mark.chaos
async def test_nothing_is_lost_doubled_or_refused_while_brokers_die_everything_rolls_and_partitions_grow(
    request: pytest.FixtureRequest,
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    folder = Path(".local/test/brokers").absolute()
    began = time.monotonic()
    async with scene(folder, per_second=request.config.getoption("--per-second")) as (nodes, found):
        await _comes_to(found, 2_000)
        victim = chance.randrange(BROKERS)
        await nodes.kill(victim)
        await _more(found, 5_000)
        await nodes.revive(victim)
        await found.in_sync()
        _say(found, "a broker killed and back", began)
        for name in chance.sample(sorted(found.workers), len(found.workers)):
            await found.roll(name)
        _say(found, f"{len(found.workers)} processes rolled", began)
        for number in range(BROKERS):
            await nodes.stop(number)
            await nodes.revive(number)
            await found.in_sync()
        _say(found, f"{BROKERS} brokers rolled", began)
        async with Admin(found.settings) as admin:
            await admin.create_partitions({WEBHOOKS.name: NewPartitions(_GROWN)})

        async def all_read() -> bool:
            rows = await found.ledger("conversations")
            assert {number for number, row in rows.items() if row["applied"]} == set(range(_GROWN))
            return True

        await eventually(all_read)
        await _more(found, 3_000)
        _say(found, f"partitions grown to {_GROWN}", began)
    traffic = found.traffic
    refused = traffic.answers.total() - traffic.answers[204]
    kept = f"{traffic.answers[204]} rows, 0 lost, 0 doubled, {refused} refused, audit clean"
    print(f"brokers: {traffic}; {kept} (seed {seed})")


def _say(found: Scene, what: str, began: float) -> None:
    seconds = time.monotonic() - began
    print(f"{seconds:6.1f} s  {what}: {found.traffic.answers.total()} webhooks, {dict(found.traffic.answers)}")


async def _comes_to(found: Scene, accepted: int) -> None:
    await eventually(lambda: len(found.traffic.accepted) >= accepted)


async def _more(found: Scene, accepted: int) -> None:
    await _comes_to(found, len(found.traffic.accepted) + accepted)
