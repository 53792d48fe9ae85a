"""Trees of keys: what a store's records were sealed with, as far as it may still be reckoned."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from db.pool import Connection, Row

_VERSIONS = """
select t.organization_id, t.id, t.version, t.tree is not null as is_there
from unnest($1::uuid[], $2::uuid[]) as n (organization_id, id) join wootstream.seal_trees t using (organization_id, id)
"""
_TREES = """
select t.organization_id, t.id, t.version, t.begins_at, t.tree
from unnest($1::uuid[], $2::uuid[]) as n (organization_id, id) join wootstream.seal_trees t using (organization_id, id)
"""
_OF_STORE = """
select id, begins_at, tree from wootstream.seal_trees where organization_id = $1 and tree is not null order by begins_at, id for update
"""
_TO_SEAL = "select seal from public.chatwoot_accounts where organization_id = $1 and account_status <> 'deleted'"
_ADD = """
insert into wootstream.seal_trees (organization_id, id, begins_at, tree) select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[])
on conflict do nothing
"""
_PUT = "update wootstream.seal_trees set tree = $3, version = version + 1 where organization_id = $1 and id = $2"
_RESEAL = "update wootstream.seal_trees set tree = $3 where organization_id = $1 and id = $2"
_END = """
update wootstream.seal_trees set tree = null, version = version + 1 where organization_id = $1 and begins_at < $2 and tree is not null
"""
_DESTROY = """
update wootstream.seal_trees set tree = null, version = version + 1 where organization_id = $1 and id = any ($2::uuid[])
"""
_CHANGED = """
update public.chatwoot_accounts set seal_version = seal_version + 1 where organization_id = $1 and account_status <> 'deleted'
"""
_SWITCH = """
update public.chatwoot_accounts set seal = $2, seal_version = seal_version + 1, updated_at = now()
where organization_id = $1 and account_status <> 'deleted' and seal <> $2
"""
_MARKS = "select digest, received_before from wootstream.erased_subjects where organization_id = $1 and request_id = $2"
_LOCK = "select pg_advisory_xact_lock(hashtextextended('wootstream/seal/' || $1::text, 0))"
TreeName = tuple[UUID, UUID]  # store and tree


class SealTreeRow(NamedTuple):
    """The columns of _ADD; the tree comes sealed."""

    organization_id: UUID
    id: UUID
    begins_at: datetime
    tree: str


async def versions(conn: Connection, named: Collection[TreeName]) -> dict[TreeName, tuple[int, bool]]:
    """Of those that there are: the version, and whether its time is not over yet."""
    rows = await conn.fetch(_VERSIONS, *_columns(named))
    return {(row["organization_id"], row["id"]): (row["version"], row["is_there"]) for row in rows}


async def trees(conn: Connection, named: Collection[TreeName]) -> Sequence[Row]:
    """organization_id, id, version, begins_at and tree, which is null once its time is over."""
    return await conn.fetch(_TREES, *_columns(named))


async def hold(conn: Connection, store: UUID) -> None:
    """Whoever changes a store's trees does so alone, until the transaction ends."""
    await conn.execute(_LOCK, str(store))


async def of_store(conn: Connection, store: UUID) -> Sequence[Row]:
    """id, begins_at and tree of those whose time is not over, locked."""
    return await conn.fetch(_OF_STORE, store)


async def to_seal(conn: Connection, store: UUID) -> bool:
    """Whether the store's records are to be sealed."""
    return bool(await conn.fetchval(_TO_SEAL, store))


async def add(conn: Connection, rows: Sequence[SealTreeRow]) -> None:
    """Those that are not there yet."""
    if rows:
        await conn.execute(_ADD, *(list(column) for column in zip(*rows, strict=True)))


async def put(conn: Connection, store: UUID, tree: UUID, sealed: str) -> None:
    """With fewer nodes; what was there before is gone with the transaction."""
    await conn.execute(_PUT, store, tree, sealed)


async def reseal(conn: Connection, store: UUID, tree: UUID, sealed: str) -> None:
    """The same nodes under another installation key."""
    await conn.execute(_RESEAL, store, tree, sealed)


async def end(conn: Connection, store: UUID, before: datetime) -> int:
    """Destroy the trees that began before; that they were there stays known. How many."""
    return int((await conn.execute(_END, store, before)).rpartition(" ")[2])


async def destroy(conn: Connection, store: UUID, trees: Collection[UUID]) -> None:
    """These alone, likewise."""
    await conn.execute(_DESTROY, store, list(trees))


async def changed(conn: Connection, store: UUID) -> None:
    """Let the doors read its trees again."""
    await conn.execute(_CHANGED, store)


async def switch(conn: Connection, store: UUID, *, seal: bool) -> bool:
    """Whether that was news."""
    return (await conn.execute(_SWITCH, store, seal)).endswith(" 1")


async def marks(conn: Connection, store: UUID, request: UUID) -> Sequence[Row]:
    """digest and received_before of the names that this request marked."""
    return await conn.fetch(_MARKS, store, request)


def _columns(named: Collection[TreeName]) -> tuple[list[UUID], list[UUID]]:
    return [store for store, _ in named], [tree for _, tree in named]
