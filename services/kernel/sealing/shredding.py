"""The keys of somebody who is erased leave the store's trees: what was sealed with them nobody can open again."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from db.pool import Connection
from db.privacy import seals as table
from services.kernel.sealing.envelope import names_of
from services.kernel.sealing.sealed_trees import opened_tree, sealed_tree
from services.kernel.secrets import Secrets


async def shred(conn: Connection, store: UUID, secrets: Secrets, until: Mapping[bytes, datetime]) -> int:
    """Take out each digest's leaves up to its moment; in how many trees there were any. The store must be in scope.

    Raises Sealed where a tree cannot be opened: whoever cannot read it cannot say that it is destroyed.
    """
    await table.hold(conn, store)
    cut = 0
    for row in await table.of_store(conn, store):
        before = after = opened_tree(store, row, secrets)
        for digest, moment in until.items():
            (name,) = names_of([digest])
            after = after.without(name, moment)
        if after is not before:
            await table.put(conn, store, row["id"], sealed_tree(store, after.tree, secrets))
            cut += 1
    if cut:
        await table.changed(conn, store)
    return cut
