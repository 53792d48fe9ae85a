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
from services.kernel.secrets import Secrets, sealed_with


async def refuse_another_key(pool: Pool, vault: Secrets, slug: str) -> None:
    """Raises Refusal where no key of ours opens what the store has; of a new one, what any other has."""
    known = await stores_named(pool, None)
    looked_at = [known[slug]] if slug in known else list(known.values())
    async with scoped(pool, looked_at) as conn:
        rows = await table.keys(conn, looked_at)
    foreign = [row for row in rows if not vault.knows(row["key"])]
    if not foreign or (slug not in known and len(foreign) < len(rows)):
        return
    what = ", ".join(foreign[0]["columns"]) if slug in known else "the other stores' secrets"
    raise Refusal(
        f"store {slug}: installation key {foreign[0]['key'] or '(none)'} sealed {what}, and it is not here (this is "
        f"{vault.key_id}): no process could read what is sealed now. Give that key in WOOTSTREAM_INSTALLATION_KEY or "
        "WOOTSTREAM_INSTALLATION_KEY_FILE. If it is lost for good: `stores apply` or `stores add` with --key-lost"
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
