"""A store whose Chatwoot posts to two ingress processes while its secrets are replaced."""

import asyncio
import hashlib
import itertools
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from db.pool import Pool
from local.chatwoot.app import app
from local.chatwoot.double import Double
from local.chatwoot.model.rows import Account, Webhook
from local.chatwoot.seed import add_account, add_webhook
from services.control.stores.rotate import Rotated, Rotation, What
from services.kernel import Chatwoot, Clock, Settings
from services.kernel.secrets import load_secrets
from tests.services.attached import ACCOUNT_ID, TOKEN, authorize
from tests.services.ingress.bench import Shop, open_shop, signed
from tests.services.ingress.wire import Wire, request, wire

_PUBLIC = "https://in.example"
_SENDERS = 32
Ingress = Callable[[Settings], AbstractAsyncContextManager[httpx.AsyncClient]]


@dataclass
class Scene:
    """What every delivery was answered, by the webhook's URL; and the records that were promised to be kept."""

    shop: Shop
    settings: Settings
    account: Account
    chatwoot: Chatwoot
    doors: list[httpx.AsyncClient]
    answers: list[tuple[str, int]] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)

    async def deliver(self, hook: Webhook, number: int, door: httpx.AsyncClient) -> int:
        """As Chatwoot does, on this webhook."""
        path, headers, body = self._delivery(hook, number)
        return self._answered(hook, number, (await door.post(path, content=body, headers=headers)).status_code)

    @asynccontextmanager
    async def traffic(self, *, per_second: int = 100) -> AsyncIterator[None]:
        """Events, each at its moment and on every webhook that wants it, at one ingress and at the other."""
        ending, begun = asyncio.Event(), time.monotonic()
        due = ((number, begun + number / per_second) for number in itertools.count(1))

        async def send(door: httpx.AsyncClient) -> None:
            while not ending.is_set():
                async with wire(str(door.base_url)) as line:
                    while not (ending.is_set() or line.closed):
                        number, moment = next(due)
                        await asyncio.sleep(moment - time.monotonic())
                        await self._deliver_to_all(number, line)

        async with asyncio.TaskGroup() as senders:
            for number in range(_SENDERS):
                senders.create_task(send(self.doors[number % 2]))
            yield
            ending.set()

    async def _deliver_to_all(self, number: int, line: Wire) -> None:
        hooks = [one for one in self.account.webhooks.values() if "message_created" in one.subscriptions]
        assert hooks, "nobody would be told of this event"
        for hook in hooks:
            status, _ = await line.ask(request(*self._delivery(hook, number)))
            self._answered(hook, number, status)

    def _delivery(self, hook: Webhook, number: int) -> tuple[str, dict[str, str], bytes]:
        body = b'{"event":"message_created","account":{"id":%d},"conversation":{"id":%d}}' % (ACCOUNT_ID, number)
        headers = signed(self.shop, body, at=datetime.now(UTC), secret=hook.secret) if hook.secret else {}
        return hook.url.removeprefix(_PUBLIC), {"content-type": "application/json"} | headers, body

    def _answered(self, hook: Webhook, number: int, status: int) -> int:
        self.answers.append((hook.url, status))
        if status == 204:
            self.kept.add(f"conversation:{number}")
        return status

    async def rotate(self, what: What, pool: Pool, *, now: bool = False, **more: Any) -> Rotated:
        keys = load_secrets(self.settings)
        return await Rotation(pool, keys, self.chatwoot, Clock(), _PUBLIC, self.shop.slug, now, **more).rotate(what)


@asynccontextmanager
async def opened(
    settings: Settings, admin: Pool, folder: Path, ingress: Ingress, *, signs: bool = True
) -> AsyncIterator[Scene]:
    """The store is attached and has its webhook; both processes know it."""
    token = uuid.uuid4().hex
    unsigned = {"unsigned": True, "path_token_sha256": hashlib.sha256(token.encode()).digest(), "webhook_secret": None}
    columns: dict[str, Any] = {} if signs else unsigned
    shop = await open_shop(admin, settings, **columns)
    await authorize(admin, shop.id, load_secrets(settings))
    double = Double()
    account = add_account(double, ACCOUNT_ID, token=TOKEN)
    url = f"{_PUBLIC}{shop.door}" + ("" if signs else f"/{token}")
    add_webhook(double, account, url, secret=shop.secret if signs else None)
    chatwoot = Chatwoot(settings, Clock(), CollectorRegistry(), httpx.ASGITransport(app(double)))
    async with AsyncExitStack() as stack:
        key = {"installation_key_file": settings.data_directory / "installation.key"}
        both = [settings.model_copy(update=key | {"data_directory": folder / name}) for name in ("one", "two")]
        doors = [await stack.enter_async_context(ingress(one)) for one in both]
        yield Scene(shop, settings, account, chatwoot, doors)
    await chatwoot.close()
