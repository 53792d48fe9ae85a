"""`wootstream run ingress` as the operator runs it: what it needs of memory, and what it never writes."""

import resource
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import pytest

from db.pool import Pool
from local.demo.shop import Shop as Backend
from local.demo.shop import shop_event
from local.demo.visitors import PageVisitor
from services.kernel import Clock, Settings
from tests.eventually import PATIENCE_SECONDS
from tests.services.ingress.bench import EVENT_SECRET, ORIGIN, Shop, open_shop, post_webhook
from tests.services.ingress.running import running
from tests.services.ingress.wire import wire

pytestmark = pytest.mark.usefixtures("topics")
_SLOW_SENDERS = 1_000
_SENT_BYTES = 64 * 1024
_MOST_BYTES = 300 * 2**20
_BODY = b'{"event":"message_created","account":{"id":3},"conversation":{"id":7}}'


async def test_a_thousand_slow_senders_do_not_fill_the_memory(
    settings: Settings, admin_pool: Pool, tmp_path: Path
) -> None:
    shop = await open_shop(admin_pool, settings)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    head = f"POST {shop.door} HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\n\r\n".encode()

    async with running(settings, tmp_path, WOOTSTREAM_BODY_SECONDS="60") as ours, AsyncExitStack() as lines:
        for _ in range(_SLOW_SENDERS):
            line = await lines.enter_async_context(wire(ours.address))
            await line.say(head + b" " * _SENT_BYTES)
        async with httpx.AsyncClient(base_url=ours.address, timeout=PATIENCE_SECONDS) as client:
            answer = await post_webhook(client, shop, _BODY, at=datetime.now(UTC))
        taken = psutil.Process(ours.pid).memory_info().rss
        print("memory", taken // 2**20, "MiB")

    assert answer.status_code == 204
    assert taken < _MOST_BYTES


async def test_no_secret_is_in_any_log_of_a_full_run(settings: Settings, admin_pool: Pool, tmp_path: Path) -> None:
    shop = await open_shop(admin_pool, settings)

    async with running(settings, tmp_path) as ours:
        secrets = await _talk(ours.address, shop)
    written = ours.log.read_text()

    assert settings.database_url
    secrets |= {settings.database_url.get_secret_value(), (settings.data_directory / "installation.key").read_text()}
    assert [secret for secret in secrets if secret in written] == []
    assert "process_serves" in written


async def _talk(address: str, shop: Shop) -> set[str]:
    """Everything that the doors are for, rightly and wrongly; the secrets that were in use."""
    now = datetime.now(UTC)
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE_SECONDS) as client:
        for secret in (shop.secret, "wrong-secret"):
            await post_webhook(client, shop, _BODY, at=now, secret=secret)
        backend, visitor = (
            Backend(client, shop.slug, EVENT_SECRET),
            PageVisitor(client, shop.website_token, ORIGIN, Clock()),
        )
        paid = shop_event("order.paid", now, customer_id="c1", order_id="o1")
        assert (await backend.send(paid)).status_code == 204
        await backend.send_batch([paid, {}])
        vouched = backend.vouch("c1", expires=now + timedelta(hours=1))
        await visitor.arrive(vouched)
        assert (await visitor.report(visitor.event("page_viewed"))).status_code == 204
        await visitor.report({})
        await client.get(f"/widget/{shop.website_token}/config", params=vouched | {"proof": "wrong"})
        await client.post("/beacons", content=b"{", headers={"content-type": "text/plain"})
    return {shop.secret, "wrong-secret", EVENT_SECRET.removeprefix("whsec_"), vouched["proof"], visitor.config["token"]}
