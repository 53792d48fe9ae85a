"""Secrets that are replaced while a store works: the new one, the previous one, and which webhook replaces which."""

from collections.abc import Mapping
from uuid import UUID

from db.pool import Connection, Row

_COLUMNS = frozenset(
    f"{name}{suffix}"
    for name in ("webhook_secret", "event_secret", "vouching_secret", "path_token_sha256")
    for suffix in ("", "_previous")
) | {"api_access_token"}
_BEGIN = """
insert into wootstream.rotations (organization_id, version, new_webhook, old_webhook) values ($1, $2, $3, $4)
on conflict (organization_id) do update set version = excluded.version, new_webhook = excluded.new_webhook,
  old_webhook = excluded.old_webhook, begun_at = clock_timestamp(), verified_at = null
"""
_OF = "select version, new_webhook, old_webhook, begun_at, verified_at from wootstream.rotations where organization_id = $1"
_DONE = "update wootstream.rotations set old_webhook = null where organization_id = $1"
_VERIFIED = """
update wootstream.rotations set verified_at = now() where organization_id = $1 and version = $2 and verified_at is null
"""


async def put(conn: Connection, organization: UUID, columns: Mapping[str, object]) -> None:
    """Secrets of the store's account, sealed or hashed; the store must be in scope, as in the next three."""
    assert columns.keys() <= _COLUMNS
    assigned = ", ".join(f"{name} = ${at}" for at, name in enumerate(columns, 2))
    await conn.execute(
        f"update public.chatwoot_accounts set {assigned}, updated_at = now() "  # noqa: S608
        "where organization_id = $1 and account_status <> 'deleted'",
        organization,
        *columns.values(),
    )


async def begin(conn: Connection, organization: UUID, *, version: int, new: int, old: int) -> None:
    await conn.execute(_BEGIN, organization, version, new, old)


async def of(conn: Connection, organization: UUID) -> Row | None:
    """The last one, or the one under way: then its `old_webhook` is not null."""
    return await conn.fetchrow(_OF, organization)


async def done(conn: Connection, organization: UUID) -> None:
    await conn.execute(_DONE, organization)


async def verified(conn: Connection, organization: UUID, version: int) -> None:
    """A delivery came on this webhook and was taken; as role wootstream_ingress."""
    await conn.execute(_VERIFIED, organization, version)
