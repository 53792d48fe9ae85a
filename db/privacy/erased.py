"""Who was erased, by keyed hash, and until which moment what was received about them is dropped."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from db.pool import Connection

# One look for each, by `limit`: as a join PostgreSQL plans it for any arrays at all, and, of a table that was never
# analyzed, reads all erased people of the store for each name, 2 s for 1,000 names among 10,000.
_AMONG = """
select n.organization_id, n.digest, e.received_before
from unnest($1::uuid[], $2::bytea[]) as n (organization_id, digest), lateral (
  select received_before from wootstream.erased_subjects where organization_id = n.organization_id and digest = n.digest limit 1) as e
"""
# Never earlier than it was: what a later erasure dropped stays dropped when an older one is applied again.
_ADD = """
insert into wootstream.erased_subjects as e (organization_id, digest, received_before, request_id)
select * from unnest($1::uuid[], $2::bytea[], $3::timestamptz[], $4::uuid[]) order by 1, 2
on conflict (organization_id, digest) do update
  set received_before = excluded.received_before, request_id = excluded.request_id
  where excluded.received_before > e.received_before
"""
_ANY_TRACE = """
select exists (select from wootstream.erased_subjects) or exists (select from wootstream.consents)
  or exists (select from wootstream.legal_holds)
"""
_HOLD = "select wootstream.hold_ledger()"
# Behind whoever waits for the ledger every store's batches wait, for as long as the slowest under way takes. So it is
# tried shortly first, and longer only where that does not do; in between they go on.
_TRIES_MS = (100, 200, 400, 800, 1_000, 1_000, 1_000, 1_000)
_WAIT = "select set_config('lock_timeout', $1, true)"


class ErasedRow(NamedTuple):
    """The columns of _ADD."""

    organization_id: UUID
    digest: bytes
    received_before: datetime
    request_id: UUID


async def among(conn: Connection, named: Collection[tuple[UUID, bytes]]) -> Mapping[tuple[UUID, bytes], datetime]:
    """Those of (store, digest) that were erased, and until when what was received is dropped."""
    rows = await conn.fetch(_AMONG, [store for store, _ in named], [digest for _, digest in named])
    return {(row["organization_id"], row["digest"]): row["received_before"] for row in rows}


async def add(conn: Connection, rows: Sequence[ErasedRow]) -> None:
    """Remember them as erased."""
    if rows:
        await conn.execute(_ADD, *(list(column) for column in zip(*rows, strict=True)))


async def hold_consumers(conn: Connection) -> None:
    """Wait until no batch is under way, and let none begin before this transaction ends. As role wootstream_privacy."""
    longest = await conn.fetchval("select current_setting('lock_timeout')")
    for milliseconds in _TRIES_MS:
        try:
            async with conn.transaction():
                await conn.execute(_WAIT, f"{milliseconds}ms")
                await conn.execute(_HOLD)
                await conn.execute(_WAIT, longest)
                return
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(milliseconds / 1_000)  # as long as they waited
    await conn.execute(_HOLD)


async def any_trace(conn: Connection) -> bool:
    """Whether anybody of the stores in scope is known by a keyed hash, as erased, by a word or as to be kept."""
    return bool(await conn.fetchval(_ANY_TRACE))
