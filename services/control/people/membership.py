"""Who is a member of which store, and the tokens of a person. A host's own memberships are the host's to change."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

import asyncpg

from db import api_tokens, members
from db.pool import Connection, Pool, scoped
from services.kernel.actor import note
from services.kernel.cli.environment import stores_named
from services.kernel.errors import Refusal
from services.kernel.person_tokens import hashed, new_token

Role = Literal["owner", "admin", "manager", "staff"]


@dataclass(frozen=True, slots=True)
class Member:
    """One person in one store."""

    email: str
    store: str
    role: str
    person: UUID


@dataclass(frozen=True, slots=True)
class Token:
    """What may be told of a token at any time."""

    id: UUID
    email: str
    name: str
    scopes: Sequence[str]
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Removed:
    """Whether they were a member; whether nothing of them is kept now; of how many other stores they still are one."""

    changed: bool
    forgotten: bool
    other_stores: int


async def add(pool: Pool, store: str, email: str, role: Role) -> bool:
    """Make somebody a member, or change their role; whether anything changed. Raises Refusal."""
    organization = (await stores_named(pool, store))[store]
    async with scoped(pool, {organization}) as conn:
        await _check_ours(conn)
        person = await _person(conn, email) or await _new_person(conn, email)
        changed = await members.put(conn, organization, person, role)
        if changed:
            await note(conn, "people add", store=organization, thing=f"{person} as {role}")
        return changed


async def remove(pool: Pool, store: str, email: str) -> Removed | None:
    """Take them out of a store; of who is a member of none now address and tokens go, too. None: nobody has this
    address, as after the last time. Raises Refusal."""
    organization = (await stores_named(pool, store))[store]
    async with scoped(pool, {organization}) as conn:
        await _check_ours(conn)
        person = await _person(conn, email)
        if person is None:
            return None
        changed = await members.remove(conn, organization, person)
        if changed:
            await note(conn, "people remove", store=organization, thing=str(person))
    # In the scope of all: who is a customer of one of them, too, or set one up, is named there by that row.
    everywhere = (await stores_named(pool, None)).values()
    async with scoped(pool, everywhere) as conn:
        forgotten = not await members.is_named_elsewhere(conn, person) and await members.forget_user(conn, person)
        if forgotten:
            await note(conn, "people remove", store=None, thing=f"{person}: address and tokens")
        others = sum(row["user_id"] == person for row in await members.listed(conn))
    return Removed(changed, forgotten, others)


async def listed(pool: Pool, store: str | None) -> list[Member]:
    """The members of one store or of all, by store, role and e-mail. Raises Refusal."""
    slugs = {organization: slug for slug, organization in (await stores_named(pool, store)).items()}
    async with scoped(pool, slugs) as conn:
        await _check_ours(conn)
        rows = await members.listed(conn)
        await note(conn, "people list", store=next(iter(slugs)) if store else None, thing=f"{len(rows)} members")
        emails = await _emails(conn, {row["user_id"] for row in rows})
    found = (Member(emails[row["user_id"]], slugs[row["organization_id"]], row["role"], row["user_id"]) for row in rows)
    return sorted(found, key=lambda one: (one.store, one.role, one.email))


async def add_token(
    pool: Pool, email: str, name: str, *, scopes: Collection[str], expires_at: datetime
) -> tuple[UUID, str]:
    """Its id, and the token itself, which is told this once. Raises Refusal."""
    token = new_token()
    async with pool.acquire(timeout=10) as conn, conn.transaction():
        person = await _known(conn, email)
        number = await api_tokens.add(conn, person, name, hashed(token), scopes=scopes, expires_at=expires_at)
        await note(conn, "people token add", store=None, thing=f"{number} for {person}: {', '.join(sorted(scopes))}")
        return number, token


async def revoke_token(pool: Pool, token: UUID) -> bool:
    """From now on it is good for nothing; False if it was already."""
    async with pool.acquire(timeout=10) as conn, conn.transaction():
        revoked = await api_tokens.revoke(conn, token)
        if revoked:
            await note(conn, "people token revoke", store=None, thing=str(token))
        return revoked


async def tokens(pool: Pool) -> list[Token]:
    """All, also those that are revoked or past their time."""
    async with pool.acquire(timeout=10) as conn, conn.transaction():
        rows = await api_tokens.listed(conn)
        await note(conn, "people token list", store=None, thing=f"{len(rows)} tokens")
        emails = await _emails(conn, {row["user_id"] for row in rows})
    return [
        Token(row["id"], emails[row["user_id"]], row["name"], row["scopes"], row["expires_at"], row["last_used_at"],
              row["revoked_at"])
        for row in rows
    ]  # fmt: skip


async def _check_ours(conn: Connection) -> None:
    if not await members.are_ours(conn):
        raise Refusal(
            "this database brings its own get_user_role_in_organization: its own memberships decide, change them there"
        )


async def _person(conn: Connection, email: str) -> UUID | None:
    found = await members.users(conn, emails={email})
    return found[0]["id"] if found else None


async def _known(conn: Connection, email: str) -> UUID:
    person = await _person(conn, email)
    if person is None:
        raise Refusal(f"nobody here has the e-mail address {email}")
    return person


async def _new_person(conn: Connection, email: str) -> UUID:
    """Somebody else may have been quicker with the same address."""
    person = uuid4()
    with suppress(asyncpg.UniqueViolationError):
        async with conn.transaction():
            await members.add_user(conn, person, email)
    return await _known(conn, email)


async def _emails(conn: Connection, people: Collection[UUID]) -> dict[UUID, str]:
    found = {row["id"]: row["email"] or "" for row in await members.users(conn, ids=people)}
    return {one: found.get(one, "") for one in people}
