"""Who asks at the HTTP API: a person's token says whose it is; row security says what that person sees.

person = await authenticate(process.pool(), bearer)      # None: 401
async with scoped_as_person(process.pool(PEOPLE), person.id) as conn: …
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Literal, get_args
from uuid import UUID

from db import api_tokens, members
from db.pool import Pool, scoped_as_person

TokenScope = Literal["read", "personal", "change"]
SCOPES: tuple[TokenScope, ...] = get_args(TokenScope)
MANAGERS = ("owner", "admin", "manager")
EVERYONE = (*MANAGERS, "staff")
_PREFIX = "wst_"  # so that scanners of repositories know it
_BYTES = 32
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Person:
    """The user whose token it is, which token, and what it may do."""

    id: UUID
    token: UUID
    scopes: frozenset[str]


def new_token() -> str:
    """Told once: the database holds its hash. 32 random bytes need no slow one."""
    return _PREFIX + secrets.token_urlsafe(_BYTES)


def hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


async def authenticate(pool: Pool, token: str) -> Person | None:
    """The person that the token stands for; None for one that is none of ours, revoked or past its time."""
    if not token.startswith(_PREFIX) or len(token) > _LONGEST:
        return None
    async with pool.acquire(timeout=10) as conn:
        row = await api_tokens.use(conn, hashed(token))
    return Person(row["user_id"], row["id"], frozenset(row["scopes"])) if row else None


async def stores_of(pool: Pool, person: UUID) -> frozenset[UUID]:
    """Where they have a role; `pool` is of role PEOPLE."""
    async with scoped_as_person(pool, person) as conn:
        return frozenset(await members.stores_of_mine(conn, EVERYONE))
