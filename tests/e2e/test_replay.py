"""`wootstream replay` against a running installation: every recorded account webhook is taken, and none is poison."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from db.pool import Pool
from local.demo import services
from local.replay import recording
from schemas.topics import WEBHOOKS
from services.control.ledger.audit import audit
from services.kernel import Settings
from tests.eventually import eventually
from tests.newest import begin_at_the_end
from tests.recordings.recorded import DATA

_SERVICES = ("ingress", "conversations", "contacts")  # whom an account webhook concerns
_REPLAY = (sys.executable, "-m", "services.cli", "replay", str(DATA), "--shuffle", "--repeat", "0.1", "--json")


@pytest.mark.usefixtures("topics")
async def test_every_recorded_account_webhook_is_accepted_and_none_is_dead(
    settings: Settings, admin_pool: Pool, tmp_path: Path
) -> None:
    assert settings.database_url is not None
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers or "",
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "WOOTSTREAM_DATA_DIRECTORY": str(settings.data_directory),
    }
    await begin_at_the_end(settings, admin_pool, {"conversations": WEBHOOKS, "contacts": WEBHOOKS})
    async with services.running(environment, tmp_path / "services.log", *_SERVICES) as running:
        replay = await asyncio.create_subprocess_exec(
            *_REPLAY, "--url", running.address, env=os.environ | environment, stdout=asyncio.subprocess.PIPE
        )
        answer = json.loads((await replay.communicate())[0])
        await eventually(lambda: _all_read(admin_pool, answer["accepted"]))

    recorded = len(recording.deliveries(DATA))
    assert (answer["refused"], list(answer["answers"])) == (0, ["204"])
    assert answer["accepted"] > recorded
    assert [line for line in (await audit(settings)).lines if line.topic == WEBHOOKS.name and line.halted] == []
    async with admin_pool.acquire() as conn:
        names = [store.name for store in recording.stores(DATA)]
        assert await conn.fetchval(_DEAD) == 0
        assert await conn.fetchval(_STORES_WITH_FIGURES, names) == len(names)
    print("recorded", recorded, "accepted with repeats", answer["accepted"], "seed", answer["seed"])


_DEAD = "select sum(dead) from wootstream.ledger where consumer_group in ('conversations', 'contacts')"
_STORES_WITH_FIGURES = """
select count(distinct c.organization_id) from public.chatwoot_conversations c
join public.chatwoot_accounts a using (organization_id) where a.slug = any ($1::text[])
"""


async def _all_read(admin_pool: Pool, accepted: int) -> bool:
    async with admin_pool.acquire() as conn:
        return bool(await conn.fetchval(_EVERY_GROUP_HAS_READ, accepted))


_EVERY_GROUP_HAS_READ = """
select count(*) = 2 from (
  select consumer_group from wootstream.ledger where consumer_group in ('conversations', 'contacts')
  group by consumer_group having sum(consumed) >= $1) groups
"""
