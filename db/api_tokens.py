"""Tokens that stand for a person at the HTTP API: only their hashes are here."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from db.pool import Connection, Row

_ADD = """
insert into wootstream.api_tokens (user_id, name, token_sha256, scopes, expires_at) values ($1, $2, $3, $4, $5) returning id
"""
# Last used to the minute: a token in a loop writes no row for each request.
_USE = """
with known as (
  select id, user_id, scopes, last_used_at from wootstream.api_tokens
  where token_sha256 = $1 and revoked_at is null and expires_at > now()
), used as (
  update wootstream.api_tokens t set last_used_at = now() from known
  where t.id = known.id and (known.last_used_at is null or known.last_used_at < now() - interval '1 minute')
)
select id, user_id, scopes from known
"""
_REVOKE = "update wootstream.api_tokens set revoked_at = now() where id = $1 and revoked_at is null"
_LISTED = """
select id, user_id, name, scopes, created_at, expires_at, last_used_at, revoked_at from wootstream.api_tokens
order by user_id, created_at
"""


async def add(
    conn: Connection, user: UUID, name: str, sha256: bytes, *, scopes: Collection[str], expires_at: datetime
) -> UUID:
    """The new token's id, by which it is listed and revoked."""
    return UUID(str(await conn.fetchval(_ADD, user, name, sha256, sorted(scopes), expires_at)))


async def use(conn: Connection, sha256: bytes) -> Row | None:
    """Whose it is and what it may do; None for one that is unknown, revoked or past its time."""
    return await conn.fetchrow(_USE, sha256)


async def revoke(conn: Connection, token: UUID) -> bool:
    """False if there was none that is good."""
    return (await conn.execute(_REVOKE, token)).endswith(" 1")


async def listed(conn: Connection) -> Sequence[Row]:
    return await conn.fetch(_LISTED)
