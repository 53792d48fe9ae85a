"""What only the API tells: the release, names of inboxes, agents and teams, and which inboxes have a bot.

Read once a day, and when a webhook names somebody unknown. Where a bot came or went, the figures of that inbox follow
by the other rule; a new release's rules hold from then on.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog

from db import stores
from db.pool import Connection, scoped
from db.reporting import account_details as table
from schemas.chatwoot import rest
from services.conversations import handlers
from services.conversations.chatwoot.account_reader import AccountReader, reader_of
from services.kernel import Process, Retryable
from services.kernel.chatwoot.chatwoot_client import Unanswered
from services.kernel.errors import Verdict, describe, verdict

_EVERY = timedelta(days=1)  # names change seldom, and one that a webhook brings is asked for at once
_AGAIN = timedelta(minutes=10)  # at the earliest, after a fault or where a reading did not name the unknown
_STORES = 20  # read before it is asked again whether this is still the only process that does
_STORE_SECONDS = 60.0  # a server may answer slowly, and a store may have any number of inboxes: others wait
_STEP = 200  # conversations reckoned in one transaction
log = structlog.get_logger()


class AccountDetails:
    """Runs in one process of the installation at a time."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def turn(self) -> bool:
        """Read a few stores that are to be read, reckon a few conversations again; True if there may be more to do.

        A store that does not tell costs the others nothing."""
        now = self._process.clock.now()
        async with scoped(self._process.pool(), ()) as conn:
            everyone = await stores.ids(conn)
        async with scoped(self._process.pool(), everyone) as conn:
            unread = await table.unread(conn, now=now, every=_EVERY, again=_AGAIN)
            recounts = await table.recounts(conn)
        for store in unread[:_STORES]:
            await self._ask(store)
        # One step a turn: an inbox of a million conversations delays nobody's names.
        for row in recounts[:1]:
            async with scoped(self._process.pool(), {row["organization_id"]}) as conn:
                await _recount(conn, row["organization_id"], row["inbox_id"], row["recount_after"])
        return bool(unread or recounts)

    async def _ask(self, store: UUID) -> None:
        fault = None
        try:
            async with scoped(self._process.pool(), {store}) as conn:
                account = await reader_of(conn, self._process, store)
            try:
                async with asyncio.timeout(_STORE_SECONDS):
                    await self._read(account)
            except TimeoutError as late:
                raise Unanswered(f"Chatwoot takes more than {_STORE_SECONDS:.0f} s to tell") from late
        # Whatever one store's server makes of us is that store's: it is kept, and said in its reports.
        except Exception as error:
            if verdict(error) is Verdict.STOP:
                raise
            expected = isinstance(error, Unanswered | Retryable)
            fault = str(error) if expected else describe(error)
            log.warning("directory_is_not_told", store=str(store), reason=fault, exc_info=None if expected else error)
        async with scoped(self._process.pool(), {store}) as conn:
            await table.asked(conn, store, at=self._process.clock.now(), fault=fault)

    async def _read(self, account: AccountReader) -> None:
        """Ask for everything first: half an answer would make the rest look gone."""
        inboxes = {
            one.id: (one.id, one.name, (await account.get(f"inboxes/{one.id}/agent_bot", rest.InboxBot)).is_set)
            for one in (await account.get("inboxes", rest.Inboxes)).payload
        }
        agents = await account.get("agents", tuple[rest.Agent, ...])
        teams = await account.get("teams", tuple[rest.Agent, ...])
        release = await account.release()
        at = self._process.clock.now()
        async with scoped(self._process.pool(), {account.store}) as conn:
            await table.put_inboxes(conn, account.store, sorted(inboxes.values()), at=at)
            for kind, people in (("agent", agents), ("team", teams)):
                names = sorted({one.id: one.name for one in people}.items())
                await table.put_names(conn, account.store, kind, names, at=at)
            if release:
                await table.put_release(conn, account.store, release, at=at)
            await table.checked(conn, account.store, at=at)


async def _recount(conn: Connection, store: UUID, inbox_id: int, after: int) -> None:
    numbers = await table.beyond(conn, store, inbox_id, after, limit=_STEP)
    try:
        async with conn.transaction():
            await handlers.reckon_again(conn, {(store, number) for number in numbers})
    except Exception as error:
        if verdict(error) is not Verdict.GUILTY:
            raise
        await _one_by_one(conn, store, numbers)
    # Fewer than asked for: that was the last of this inbox.
    await table.recounted(conn, store, inbox_id, up_to=numbers[-1] if len(numbers) == _STEP else None)


async def _one_by_one(conn: Connection, store: UUID, numbers: Sequence[int]) -> None:
    """A conversation that cannot be reckoned again keeps its figures, and costs the others nothing."""
    for number in numbers:
        try:
            async with conn.transaction():
                await handlers.reckon_again(conn, {(store, number)})
        except Exception as error:
            if verdict(error) is not Verdict.GUILTY:
                raise
            log.error("conversation_is_not_reckoned_again", store=str(store), conversation=number, exc_info=error)
