"""The doors of a process that starts while nobody else is there."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic import SecretStr

from db.pool import Pool
from schemas import topics
from services.ingress.doors.quotas import Quotas
from services.kernel.kafka.topics import ensure_topics
from tests.eventually import eventually
from tests.services.ingress.bench import ORIGIN, held, open_shop, post_webhook, serving
from tests.services.ingress.page import Page
from tests.services.ingress.spool.bench import Bench, spooling
from tests.services.ingress.spool.kafka_proxy import KafkaProxy

_NOWHERE = SecretStr("postgresql://x@127.0.0.1:1/x")


async def test_doors_that_open_without_postgresql_and_kafka_keep_known_stores_webhooks_until_kafka_is_back(
    bench: Bench, remote: Bench, proxy: KafkaProxy, admin_pool: Pool
) -> None:
    shop, now = await open_shop(admin_pool, bench.settings), datetime.now(UTC)
    await ensure_topics(bench.settings)
    bodies = [b'{"event":"message_created", "id":%d,"conversation":{"id":7}}' % number for number in range(20)]
    async with serving(bench.settings) as (_, client):
        first = await post_webhook(client, shop, bodies[0], at=now)

    alone = remote.settings.model_copy(update={"database_url": _NOWHERE})
    async with AsyncExitStack() as outage:
        await outage.enter_async_context(proxy.away())
        async with serving(alone, kafka=False) as (process, client):
            answers = [await post_webhook(client, shop, body, at=now) for body in bodies[1:]]
            forged = await post_webhook(client, shop, bodies[0], at=now, secret="wrong")
            await outage.aclose()
            await eventually(lambda: not spooling(process))

    assert {answer.status_code for answer in (first, *answers)} == {204}
    assert forged.status_code == 401
    kept = await held(bench.settings, topics.WEBHOOKS, shop.id)
    assert [record.value for record in kept] == bodies
    assert [record.origin for record in kept] == ["webhook"] + ["spool"] * len(answers)


async def test_beacons_that_kafka_does_not_take_are_spooled_and_use_up_their_quota_once(
    bench: Bench, remote: Bench, proxy: KafkaProxy, admin_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str] = []
    take = Quotas.take_beacons

    def counted(quotas: Quotas, store: UUID, network: str, session: str, events: int) -> bool:
        used.append(session)
        return take(quotas, store, network, session, events)

    monkeypatch.setattr(Quotas, "take_beacons", counted)
    await ensure_topics(bench.settings)
    shop = await open_shop(admin_pool, bench.settings)
    async with serving(remote.settings) as (process, client):
        page = Page(bench.settings, shop, client)
        await page.visitor.arrive()
        events = [page.visitor.event("page_viewed") for _ in range(5)]
        answers = [await page.visitor.report(events[0])]
        async with proxy.away():
            # The first of them learns that Kafka is away, the others know.
            answers += [await page.visitor.report(one) for one in events[1:]]
            assert spooling(process)
        await eventually(lambda: not spooling(process))

        assert {(one.status_code, one.headers["access-control-allow-origin"]) for one in answers} == {(204, ORIGIN)}
        # The one under way when Kafka went comes twice where Kafka is back soon: its client has not given up.
        told = [event["id"] for event in await page.events()]
        assert list(dict.fromkeys(told)) == [one["id"] for one in events]
        assert set(told[1:2]) >= {one for one in told if told.count(one) > 1}
        assert len(used) == len(events)


async def test_remembered_stores_are_sealed(bench: Bench, admin_pool: Pool) -> None:
    shop = await open_shop(admin_pool, bench.settings)

    async with serving(bench.settings):
        remembered = bench.settings.data_directory / "ingress" / "stores.sealed"
        await eventually(remembered.exists)

    assert not {name for name in (shop.slug, shop.secret) if name in remembered.read_text()}
