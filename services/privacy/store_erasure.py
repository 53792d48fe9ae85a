"""A store is erased whole: marked, so that nothing of it is applied any more, then table by table, the account last.

Each part is a transaction of its own that adds to the proof, so whoever dies in between goes on where it was. Killed
before the mark nothing has happened.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from db import stores
from db.pool import PRIVACY, scoped
from db.privacy import erased, requests
from db.privacy import erased_stores as table
from services.kernel import Process, Refusal, Retryable
from services.kernel.actor import note
from services.kernel.errors import describe
from services.privacy.erasures import announcement
from services.privacy.erasures.announcement import StoreAnnouncement

KIND = "store erasure"
_MOST_ROWS = 5_000
# A sender may have a call to Chatwoot in hand, which lasts 15 s at the most, and write what it answered.
UNDER_WAY = timedelta(seconds=20)


async def look(process: Process, store: UUID) -> dict[str, int]:
    """Rows that would go, by table; changes nothing. Raises Refusal where the law bids to keep somebody's data."""
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        _refuse_held(await table.held(conn, store))
        return await table.counts(conn, store)


async def begin(process: Process, store: UUID, *, source: str, asked_at: datetime | None = None) -> None:
    """From the commit of this on no batch applies anything of the store, and its secrets are gone. Raises Refusal."""
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        _refuse_held(await table.held(conn, store))
        # Whoever applies a batch now has done so when this returns, and whoever comes next knows of it.
        await erased.hold_consumers(conn)
        open_ones = await requests.open_of_store(conn, store, (KIND,))
        request = open_ones[0]["id"] if open_ones else uuid4()
        if await table.begin(conn, store, request, source, asked_at or process.clock.now()):
            await stores.retire(conn, store)
            await note(conn, "stores remove --erase", store=store, thing=f"request {request}")


async def carry_on(process: Process, store: UUID) -> dict[str, str]:
    """Do what is left of one that was begun; step → why it waits. Empty: nothing is left of the store but the proof."""
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        row = await table.one(conn, store)
        names = await table.tables(conn)
    if row is None or row["finished_at"] is not None:
        return {}
    await _empty(process, store, names)
    waiting = {}
    if row["published"] is None:
        try:
            await _publish(process, StoreAnnouncement(store, row["request_id"], row["asked_at"]))
        except Retryable as reason:
            waiting["published"] = describe(reason)
    if not waiting:
        if (rest := (row["begun_at"] + UNDER_WAY - process.clock.now()).total_seconds()) > 0:
            await process.clock.sleep(rest)
            await _empty(process, store, names)
        async with scoped(process.pool(PRIVACY), {store}) as conn:
            await table.finish(conn, store)
    return waiting


async def proof(process: Process, store: UUID) -> dict[str, int]:
    """Rows that went, by table."""
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        row = await table.one(conn, store)
    return dict(row["proof"]) if row else {}


async def _publish(process: Process, told: StoreAnnouncement) -> None:
    """A database that is put back from before hears of it again from the topic."""
    place = await announcement.publish_store(process, told)
    async with scoped(process.pool(PRIVACY), {told.store}) as conn:
        await table.published(conn, told.store, place)


async def _empty(process: Process, store: UUID, names: Sequence[str]) -> None:
    """All but the account. A trigger of one table writes another: until a whole round finds nothing."""
    while sum([await _emptied(process, store, name) for name in names if name != table.ACCOUNT]):
        pass


async def _emptied(process: Process, store: UUID, name: str) -> int:
    gone = 0
    while True:
        async with scoped(process.pool(PRIVACY), {store}) as conn:
            some = await table.delete_some(conn, store, name, _MOST_ROWS)
        if not some:
            return gone
        gone += some


def _refuse_held(names: int) -> None:
    if names:
        raise Refusal(f"the law bids to keep {names} names of this store: `wootstream privacy hold --lift` ends that")
