"""Another installation key than the one that sealed a store's secrets: nothing is sealed beside them.

The doors open a store whole or not at all. A secret that a shell without the installation's key sealed there would keep
them from the store, and exit code 0 would be the last that anybody heard of it.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from db import sealed as table
from db.pool import Connection, Pool, scoped
from db.privacy import seals
from services.kernel.cli.environment import stores_named
from services.kernel.errors import Refusal
from services.kernel.preflight import check_keys
from services.kernel.secrets import Secrets, sealed_with


async def refuse_another_key(pool: Pool, vault: Secrets, slug: str) -> None:
    """Raises Refusal where another key sealed some of the store's, of a new one Stop where some of the others'."""
    known = await stores_named(pool, None)
    if slug not in known:
        await check_keys(pool, vault)
        return
    async with scoped(pool, {known[slug]}) as conn:
        rows = await table.keys(conn, {known[slug]})
    for row in rows:
        if not vault.knows(row["key"]):
            raise Refusal(
                f"store {slug}: installation key {row['key'] or '(none)'} sealed {', '.join(row['columns'])}, and "
                f"it is not here (this is {vault.key_id}): no process could read what is sealed now. Give that key in "
                "WOOTSTREAM_INSTALLATION_KEY or its file. If it is lost for good: `stores apply` or `stores add` with "
                "--key-lost"
            )


def without_lost(row: Mapping[str, Any], vault: Secrets) -> dict[str, Any]:
    """An account's columns, None in place of each secret that no key of ours opens."""
    lost = [name for name in table.COLUMNS if row[name] and not vault.knows(sealed_with(row[name]))]
    return dict(row) | dict.fromkeys(lost)


async def destroy_lost_trees(conn: Connection, store: UUID, vault: Secrets) -> bool:
    """What they sealed nobody can read any more; the store seals with new ones. Whether there were any."""
    await seals.hold(conn, store)
    rows = await seals.of_store(conn, store)
    lost = [row["id"] for row in rows if not vault.knows(sealed_with(row["tree"]))]
    if lost:
        await seals.destroy(conn, store, lost)
        await seals.changed(conn, store)
    return bool(lost)
