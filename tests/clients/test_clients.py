"""What shops and storefronts really use can post to every door, straight and through nginx."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from db.pool import Pool
from local.demo.visitors import PageVisitor
from services.kernel import Clock, Settings
from tests.clients.clients import CLIENTS, Absent, Command, run
from tests.clients.nginx import nginx
from tests.clients.posts import Post, posts
from tests.services.ingress.bench import ORIGIN, open_shop, serving

_WAYS = ("straight", "nginx")
_AT_ONCE = 3
Ran = Mapping[tuple[str, str], "asyncio.Task[list[str]]"]


class Run:
    """All clients at work, a few at once; what several of them need is made once."""

    def __init__(self, addresses: Mapping[str, str | Absent], folder: Path, ask: Callable[[], list[Post]]) -> None:
        self._addresses = addresses
        self._folder = folder
        self._ask = ask
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._ready = {make: asyncio.create_task(self._make(make)) for make, _ in CLIENTS.values()}

    async def answers(self, name: str, way: str) -> list[str]:
        """The statuses. Raises Absent."""
        make, words = CLIENTS[name]
        address, command = self._addresses[way], await self._ready[make]
        if isinstance(address, Absent):
            raise address
        async with self._room:
            place = self._place()
            files = [one.write(place / f"{number}.request", address) for number, one in enumerate(self._ask())]
            return (await run(*command, *words, *files)).split()

    async def _make(self, make: Callable[[Path], Awaitable[Command]]) -> Command:
        async with self._room:
            return await make(self._place())

    def _place(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._folder))


@pytest_asyncio.fixture(scope="module")
async def ran(
    settings: Settings, topics: list[str], admin_pool: Pool, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ran]:
    """What each client was answered, straight and through nginx."""
    shop, folder = await open_shop(admin_pool, settings), tmp_path_factory.mktemp("clients")
    async with serving(settings) as (process, client), AsyncExitStack() as stack:
        visitor = PageVisitor(client, shop.website_token, ORIGIN, Clock())
        await visitor.arrive()
        addresses: dict[str, str | Absent] = {"straight": process.address}
        try:
            addresses["nginx"] = await stack.enter_async_context(nginx(process.address, folder))
        except Absent as absent:
            addresses["nginx"] = absent
        work = Run(addresses, folder, partial(posts, shop, visitor))
        tasks = {(name, way): asyncio.create_task(work.answers(name, way)) for name in CLIENTS for way in _WAYS}
        yield tasks
        await asyncio.gather(*tasks.values(), return_exceptions=True)


@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize("name", CLIENTS)
async def test_every_door_takes_what_a_client_posts(ran: Ran, name: str, way: str) -> None:
    try:
        statuses = await ran[name, way]
    except Absent as absent:
        pytest.skip(str(absent))

    assert statuses == ["204"] * 4
