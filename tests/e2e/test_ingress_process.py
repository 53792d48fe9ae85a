"""`wootstream run ingress` as the operator runs it: what it needs of memory."""

import resource
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest

from db.pool import Pool
from services.kernel import Settings
from tests.eventually import PATIENCE_SECONDS
from tests.services.ingress.bench import open_shop, post_webhook
from tests.services.ingress.running import loading
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

    async with loading(settings, tmp_path, WOOTSTREAM_BODY_SECONDS="60") as ours, AsyncExitStack() as lines:
        for _ in range(_SLOW_SENDERS):
            line = await lines.enter_async_context(wire(ours.address))
            await line.say(head + b" " * _SENT_BYTES)
        async with httpx.AsyncClient(base_url=ours.address, timeout=PATIENCE_SECONDS) as client:
            answer = await post_webhook(client, shop, _BODY, at=datetime.now(UTC))
        taken = psutil.Process(ours.pid).memory_info().rss
        print("memory", taken // 2**20, "MiB")

    assert answer.status_code == 204
    assert taken < _MOST_BYTES
