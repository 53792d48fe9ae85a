"""`wootstream tail`: what arrived and what was refused, of one store or of all."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
import pytest

from db.pool import Pool, scoped
from db.records.refusals import since
from services.ingress.doors.refusals import Reason
from services.ingress.refusal_counts import RefusalCounts
from services.kernel import Process, Settings
from tests.services.control.verbs import call
from tests.services.ingress.bench import Shop, open_shop, post_webhook, serving

pytestmark = pytest.mark.usefixtures("topics")
_BODY = b'{"event":"message_created","content":"very personal","account":{"id":3},"conversation":{"id":7}}'


@pytest.fixture(autouse=True)
def client_logs() -> Iterator[None]:
    """A verb quiets these for its process, which here is everybody's."""
    loggers = [logging.getLogger(name) for name in ("aiokafka", "httpx")]
    levels = [one.level for one in loggers]
    yield
    for one, level in zip(loggers, levels, strict=True):
        one.setLevel(level)


@pytest.fixture
async def shops(settings: Settings, admin_pool: Pool, monkeypatch: pytest.MonkeyPatch) -> tuple[Shop, Shop]:
    """Two stores, each with a webhook taken and one refused, where the verbs look for them."""
    assert settings.database_url
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", str(settings.kafka_bootstrap_servers))
    both = await open_shop(admin_pool, settings), await open_shop(admin_pool, settings)
    async with serving(settings) as (_, client):
        for shop in both:
            await post_webhook(client, shop, _BODY, at=datetime.now(UTC))
            await post_webhook(client, shop, _BODY, at=datetime.now(UTC), secret="wrong")
    return both


async def test_tail_shows_a_stores_records_without_what_they_say(shops: tuple[Shop, Shop]) -> None:
    result = await call("tail", "--once", "--last", "1000", "--json", "--store", shops[0].slug)

    (line,) = map(orjson.loads, result.stdout.splitlines())
    assert (line["slug"], line["door"], line["what"], line["size"]) == (
        shops[0].slug, "webhooks", "message_created", len(_BODY),
    )  # fmt: skip
    assert "personal" not in result.stdout


async def test_tail_of_refusals_names_the_reason(shops: tuple[Shop, Shop]) -> None:
    result = await call("tail", "--refused", "--once", "--store", shops[1].slug)

    (line,) = result.stdout.splitlines()
    assert shops[1].slug in line
    assert "bad_signature" in line


async def test_a_stores_refusals_are_seen_in_its_scope_alone(shops: tuple[Shop, Shop], pool: Pool) -> None:
    async def reasons(scope: Shop, asked: Shop) -> list[str]:
        async with scoped(pool, {scope.id}) as conn:
            return [row["reason"] for row in await since(conn, 0, asked.id, 10)]

    assert await reasons(shops[0], shops[0]) == ["bad_signature"]
    assert await reasons(shops[0], shops[1]) == []


async def test_refusals_wait_for_a_database_that_is_away(settings: Settings, admin_pool: Pool, pool: Pool) -> None:
    shop, elsewhere = await open_shop(admin_pool, settings), "postgresql://x@127.0.0.1:1/x"
    process, away = (
        Process(Settings.model_validate(settings.model_dump() | {"database_url": url}))
        for url in (settings.database_url, elsewhere)
    )
    counts = RefusalCounts(away)
    for _ in range(3):
        counts.note("webhooks", Reason.SKEWED, shop.id)

    await counts.write()
    counts.note("webhooks", Reason.SKEWED, shop.id)
    counts._process = process
    await counts.write()

    async with scoped(pool, {shop.id}) as conn:
        assert [row["count"] for row in await since(conn, 0, shop.id, 10)] == [4]
