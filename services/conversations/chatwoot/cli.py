"""Verbs that ask Chatwoot: a process without a server, at a fifth of the pace, so that the sender keeps the rest."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from uuid import UUID

from db.pool import scoped
from schemas.reports import Comparison
from services.conversations.chatwoot.account_reader import AccountReader, reader_of
from services.conversations.reports.comparison import compare_each
from services.kernel import Process, Refusal, Retryable, Settings
from services.kernel.chatwoot.chatwoot_client import Unanswered
from services.kernel.cli.environment import database, installed, stores_named
from services.kernel.cli.terminal import progress

_SHARE = 0.2  # of 40 calls a second: attributes reach people who wait, a report does not


@asynccontextmanager
async def asking(settings: Settings) -> AsyncIterator[Process]:
    """A process whose pool and Chatwoot client are closed in the end. Raises Stop when the database cannot be used."""
    share = {"chatwoot_calls_per_second": settings.chatwoot_calls_per_second * _SHARE}
    async with database(settings):  # which says what a person can cure
        process = Process(settings.model_copy(update=share))
        try:
            yield process
        finally:
            await process.publisher.stop()
            await process.chatwoot.close()
            await process.pool().close()


async def compared(store: str | None, since: str, until: str) -> dict[str, Comparison]:
    """Each store's summary beside Chatwoot's. Raises Refusal where a single store's API does not tell."""
    async with asking(installed(kafka=False)) as process:
        stores = await stores_asked(process, store)
        with refusing(next(iter(stores))), progress("comparing") as tell:
            return await compare_each(process, stores, since=since, until=until, progress=tell)


async def stores_asked(process: Process, store: str | None) -> dict[str, UUID]:
    """The store named, or every store. Raises Refusal where there is none."""
    stores = await stores_named(process.pool(), store)
    if not stores:
        raise Refusal("there is no store yet: add one with `wootstream stores add`")
    return stores


async def reader_for(process: Process, name: str, organization: UUID) -> AccountReader:
    """What reads the store's account. Raises Refusal where its API cannot be asked."""
    with refusing(name):
        async with scoped(process.pool(), {organization}) as conn:
            return await reader_of(conn, process, organization)


@contextmanager
def refusing(name: str) -> Iterator[None]:
    """Where Chatwoot does not answer, a Refusal that names the store."""
    try:
        yield
    except (Unanswered, Retryable) as reason:
        raise Refusal(f"{name}: {reason}") from reason
