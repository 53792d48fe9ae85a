"""Kafka is slow, not dead: every sender is answered before his patience ends, and what is answered 204 is in the topic.

Frozen is the real Kafka's process stopped by SIGSTOP. Late answers, and metadata that name no leader for one partition,
are simulated by a proxy in the protocol: one node alone cannot lose a leader and live.
"""

import asyncio
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from aiokafka.partitioner import murmur2

from db.pool import Pool
from schemas.topics import WEBHOOKS
from services.kernel import Settings
from services.kernel.kafka.topics import ensure_topics
from tests.eventually import eventually
from tests.own_kafka import OwnKafka
from tests.services.ingress.bench import Shop, held, open_shop, post_webhook, serving
from tests.services.ingress.spool.bench import spooling
from tests.services.ingress.spool.kafka_proxy import KafkaProxy

_PATIENCE_SECONDS = 5.0  # Chatwoot's own
_BODIES = [b'{"event":"message_created", "id":%d,"conversation":{"id":%d}}' % (n, n) for n in range(40)]


async def post_while(
    trouble: AbstractContextManager[None], settings: Settings, shop: Shop, *, is_met: bool
) -> set[int]:
    """What impatient senders are answered meanwhile; returns once Kafka has what was spooled."""
    async with serving(settings) as (process, client):
        if is_met:  # or else the trouble begins before anybody knows the topic
            await post_webhook(client, shop, _BODIES[0], at=datetime.now(UTC))
        with trouble:
            async with httpx.AsyncClient(base_url=process.address, timeout=_PATIENCE_SECONDS) as impatient:
                posts = (post_webhook(impatient, shop, body, at=datetime.now(UTC)) for body in _BODIES)
                answers = await asyncio.gather(*posts)
            assert spooling(process)
        await eventually(lambda: not spooling(process))
    return {answer.status_code for answer in answers}


@pytest.mark.xdist_group("the Kafka over TLS")
async def test_every_sender_is_answered_in_time_by_a_frozen_kafka(
    tls_kafka: OwnKafka, settings: Settings, admin_pool: Pool, tmp_path: Path
) -> None:
    await tls_kafka.start()
    there = Settings.model_validate(settings.model_dump() | tls_kafka.settings | {"data_directory": tmp_path})
    await ensure_topics(there)
    shop = await open_shop(admin_pool, there)

    statuses = await post_while(tls_kafka.frozen(), there, shop, is_met=False)

    assert statuses == {204}
    assert {record.value for record in await held(there, WEBHOOKS, shop.id)} == set(_BODIES)


@pytest.mark.usefixtures("topics")
@pytest.mark.parametrize("trouble", ["3 s late", "one partition without leader"])
async def test_every_sender_is_answered_in_time_by_a_kafka_that_is(
    trouble: str, settings: Settings, admin_pool: Pool
) -> None:
    shop = await open_shop(admin_pool, settings)
    last = f"{shop.id}:conversation:{len(_BODIES) - 1}".encode()
    place = WEBHOOKS.name, (murmur2(last) & 0x7FFFFFFF) % WEBHOOKS.partitions
    late = trouble == "3 s late"

    async with KafkaProxy(settings.kafka_bootstrap_servers or "", place).listening() as proxy:
        through = settings.model_copy(update={"kafka_bootstrap_servers": proxy.address})
        with_trouble = proxy.late(3.0) if late else proxy.leaderless()
        statuses = await post_while(with_trouble, through, shop, is_met=late)

    assert statuses == {204}
    assert {record.value for record in await held(settings, WEBHOOKS, shop.id)} == set(_BODIES)
