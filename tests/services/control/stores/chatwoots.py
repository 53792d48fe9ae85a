"""A Chatwoot of one test's own in this process, and a file of stores for it."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from local.chatwoot.app import app
from local.chatwoot.double import Double
from services.control.stores.site import ChatwootSite, opened
from services.kernel import Settings

_WRITES = {"POST", "PATCH", "DELETE"}


class Killed(BaseException):
    """What happens to a process in the middle of a call: Chatwoot has done it, nobody hears the answer."""


class Mortal(httpx.AsyncBaseTransport):
    """Dies after so many writes. An answer that is on its way then is lost like the one that was waited for."""

    def __init__(self, double: Double, writes: int | None = None) -> None:
        self._inner = httpx.ASGITransport(app(double))
        self._left = writes
        self.calls: list[tuple[str, str]] = []

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [one for one in self.calls if one[0] in _WRITES]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._left == 0:
            raise Killed
        self.calls.append((request.method, request.url.path))
        response = await self._inner.handle_async_request(request)
        if self._left is not None and request.method in _WRITES:
            self._left -= 1
            if self._left == 0:
                raise Killed
        return response


def chatwoot(release: str = "4.13.0") -> Double:
    """With tokens of its own."""
    return Double(release, seed=secrets.randbits(32))


def told(settings: Settings, **more: Any) -> Settings:
    """The session's installation, for a Chatwoot on this machine that counts no calls."""
    free = {"chatwoot_private_addresses": True, "chatwoot_calls_per_second": 100_000.0}
    return settings.model_copy(update=free | more)


@asynccontextmanager
async def site_of(settings: Settings, transport: httpx.AsyncBaseTransport) -> AsyncIterator[ChatwootSite]:
    async with opened(told(settings), transport) as site:
        yield site


def file_of(
    folder: Path, stores: dict[str, Any], *, platform_token: str | None = None, address: str | None = None
) -> Path:
    """A stores.yaml with its secrets beside it."""
    # A server of this file's own: the tests share a database, in which an account is one store's.
    server = {"base_url": address or f"http://127.{'.'.join(str(part) for part in secrets.token_bytes(3))}"}
    if platform_token:
        (folder / "platform.token").write_text(platform_token)
        server["platform_token"] = "file:platform.token"
    path = folder / "stores.yaml"
    path.write_text(yaml.safe_dump({"chatwoots": {"main": server}, "stores": stores}))
    return path
