"""What the verbs that reach into Chatwoot stand on: the database, a client, a lock that keeps two of them apart."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

import httpx
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from db import provisioning, transactions
from db import stores as table
from db.pool import Connection, Pool, Row, scoped
from schemas.stores import in_a_header
from services.control.stores.calls import Api
from services.control.stores.declared.observed import release_of
from services.kernel import Chatwoot, Clock, Refusal, Retryable, Settings
from services.kernel.cli.environment import database
from services.kernel.errors import describe
from services.kernel.secrets import Secrets, load_secrets
from services.kernel.web.targets import check_target

_LOCK = "wootstream/stores"
_AT_ONCE = 8  # stores; the client's pace bounds the calls
_AGAIN_SECONDS = (1.0, 5.0, 20.0)
_RELEASE = "4.13.0"  # where a proxy hides /api
T = TypeVar("T")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class ChatwootSite:
    """Open for one verb."""

    settings: Settings
    pool: Pool
    vault: Secrets
    chatwoot: Chatwoot
    clock: Clock
    _releases: dict[str, asyncio.Future[str]] = field(default_factory=dict)

    def api(self, base_url: str, token: SecretStr) -> Api:
        """Raises Refusal where the token can be none: to Chatwoot it would look like an outage."""
        try:
            return Api(self.chatwoot, base_url, in_a_header(token))
        except ValueError as cause:
            raise Refusal(f"the token for {base_url} {cause}") from cause

    async def release(self, api: Api) -> str:
        """Of this server; asked once, and the address is judged before anything is."""
        known = self._releases.get(api.base_url)
        if known is None:
            known = self._releases[api.base_url] = asyncio.get_running_loop().create_future()
            try:
                await check_target(api.base_url, private=self.settings.chatwoot_private_addresses)
                known.set_result(await release_of(api) or _RELEASE)
            except BaseException:
                known.cancel()
                del self._releases[api.base_url]
                raise
        try:
            return await asyncio.shield(known)
        except asyncio.CancelledError:
            if known.cancelled():
                raise Retryable("its server could not be asked for its release") from None
            raise

    async def account(self, organization: UUID) -> Row | None:
        async with scoped(self.pool, {organization}) as conn:
            return await table.account(conn, organization)

    async def steps(self, organization: UUID) -> dict[str, Row]:
        async with scoped(self.pool, {organization}) as conn:
            return {row["step"]: row for row in await provisioning.steps(conn, organization)}

    async def begin(self, organization: UUID, step: str, base_url: str) -> None:
        async with scoped(self.pool, {organization}) as conn:
            await provisioning.begin(conn, organization, step, base_url)

    async def done(self, organization: UUID, step: str, chatwoot_id: int | None = None) -> None:
        async with scoped(self.pool, {organization}) as conn:
            await provisioning.done(conn, organization, step, chatwoot_id)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
        """Whoever changes what stores have in Chatwoot does so alone. Raises Refusal while somebody else does.

        Asking again keeps the transaction, and with it the lock, from being ended for its idleness.
        """
        async with self.pool.acquire(timeout=10) as conn, conn.transaction():
            await transactions.may_idle(conn)
            if not await transactions.alone(conn, _LOCK):
                raise Refusal("somebody else is changing stores just now: wait for it to end, then say the same again")
            yield _asked_in_turn(conn)


def _asked_in_turn(conn: Connection) -> Callable[[], Awaitable[bool]]:
    """A connection answers one question at a time."""
    turn = asyncio.Lock()

    async def ours() -> bool:
        async with turn:
            return await transactions.alone(conn, _LOCK)

    return ours


@asynccontextmanager
async def opened(settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> AsyncIterator[ChatwootSite]:
    """Raises Stop when the database cannot be used. `transport` in place of the network."""
    clock = Clock()
    chatwoot = Chatwoot(settings, clock, CollectorRegistry(), transport)
    try:
        async with database(settings, connections=_AT_ONCE + 1) as pool:
            yield ChatwootSite(settings, pool, load_secrets(settings), chatwoot, clock)
    finally:
        await chatwoot.close()


@dataclass(frozen=True, slots=True)
class Failed:
    """A store's own trouble; the others went on."""

    slug: str
    reason: str


async def each(
    site: ChatwootSite,
    stores: Sequence[Item],
    work: Callable[[Item], Awaitable[T]],
    name: Callable[[Item], str],
    step: Callable[[int, int], None],
) -> list[T | Failed]:
    """Do `work` for every store, several at once; the answers in the order of the stores.

    What Chatwoot is not ready for is done again: work must look before it makes.
    """
    places = asyncio.Semaphore(_AT_ONCE)
    answers: dict[int, T | Failed] = {}

    async def one(at: int, store: Item) -> None:
        async with places:
            try:
                answers[at] = await _again(site.clock, work, store)
            except (Refusal, Retryable) as reason:
                answers[at] = Failed(name(store), describe(reason))
            step(len(answers), len(stores))

    step(0, len(stores))
    async with asyncio.TaskGroup() as group:
        for at, store in enumerate(stores):
            group.create_task(one(at, store))
    return [answers[at] for at in range(len(stores))]


async def _again(clock: Clock, work: Callable[[Item], Awaitable[T]], store: Item) -> T:
    for seconds in _AGAIN_SECONDS:
        try:
            return await work(store)
        except Retryable:
            await clock.sleep(seconds)
    return await work(store)
