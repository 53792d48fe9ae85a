"""People of the stores: who is a member of which and as what, where the table is ours; a host has its own."""

from collections.abc import Collection, Sequence
from uuid import UUID

from db.pool import Connection, Row

_IS_OURS = "select to_regclass('wootstream.members') is not null"
_USERS = "select id, email from wootstream.users($1::uuid[], $2::text[])"
_ADD_USER = "insert into auth.users (id, email) values ($1, $2)"
_PUT = """
insert into wootstream.members (organization_id, user_id, role) values ($1, $2, $3)
on conflict (organization_id, user_id) do update set role = excluded.role where members.role <> excluded.role
"""
_REMOVE = "delete from wootstream.members where organization_id = $1 and user_id = $2"
_NAMED_ELSEWHERE = """
select exists (select from public.chatwoot_contacts where user_id = $1) or exists (select from public.chatwoot_accounts where created_by = $1)
"""
_FORGET_USER = "select wootstream.forget_user($1)"
_LISTED = "select organization_id, user_id, role from wootstream.members order by organization_id, role, user_id"
_MINE = "select unnest(wootstream.my_organizations(variadic $1::text[])) as organization_id"


async def are_ours(conn: Connection) -> bool:
    """Whether the memberships are ours: a host that brings get_user_role_in_organization keeps its own."""
    return bool(await conn.fetchval(_IS_OURS))


async def users(conn: Connection, *, ids: Collection[UUID] = (), emails: Collection[str] = ()) -> Sequence[Row]:
    """Id and e-mail of those who have one of these."""
    return await conn.fetch(_USERS, list(ids), [one.lower() for one in emails])


async def add_user(conn: Connection, user: UUID, email: str) -> None:
    await conn.execute(_ADD_USER, user, email)


async def put(conn: Connection, organization: UUID, user: UUID, role: str) -> bool:
    """Whether anything changed; the store must be in scope, as in the next two."""
    return (await conn.execute(_PUT, organization, user, role)).endswith(" 1")


async def remove(conn: Connection, organization: UUID, user: UUID) -> bool:
    return (await conn.execute(_REMOVE, organization, user)).endswith(" 1")


async def is_named_elsewhere(conn: Connection, user: UUID) -> bool:
    """Whether a store in scope knows them as a contact, or as who set it up."""
    return bool(await conn.fetchval(_NAMED_ELSEWHERE, user))


async def forget_user(conn: Connection, user: UUID) -> bool:
    """Their address, with their tokens; False where some store has them as a member, or the table is the host's."""
    return bool(await conn.fetchval(_FORGET_USER, user))


async def listed(conn: Connection) -> Sequence[Row]:
    return await conn.fetch(_LISTED)


async def stores_of_mine(conn: Connection, roles: Collection[str]) -> set[UUID]:
    """Where the person that the transaction stands for has one of these roles; as role `authenticated`."""
    return {row["organization_id"] for row in await conn.fetch(_MINE, list(roles))}
