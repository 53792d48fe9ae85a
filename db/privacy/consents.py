"""Words of people about what they agree to, by keyed hash; and what a batch must know of them before it keeps anything."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from db.pool import Connection, Row

NamedDigest = tuple[UUID, bytes]  # store and digest
_OF_STORES = "select * from wootstream.consents_of($1::uuid[])"
_HOLD = "select pg_advisory_xact_lock(hashtextextended('wootstream/consent/' || $1::uuid::text, 0))"
_ADD = """
insert into wootstream.consents (organization_id, digest, purpose, said_at, given, text_version, source, subject)
select * from unnest($1::uuid[], $2::bytea[], $3::text[], $4::timestamptz[], $5::bool[], $6::text[], $7::text[], $8::text[])
order by 1, 2, 3, 4, 5
on conflict do nothing returning organization_id, digest, purpose, said_at, given
"""
_WITHDRAWN = """
select c.organization_id, c.digest, max(c.said_at) as until
from unnest($1::uuid[], $2::bytea[]) as n (organization_id, digest)
join wootstream.consents c using (organization_id, digest)
where c.purpose = 'analytics' and not c.given group by 1, 2
"""
_NEWEST = """
select distinct on (c.organization_id, c.digest) c.organization_id, c.digest, c.said_at, c.given
from unnest($1::uuid[], $2::bytea[]) as n (organization_id, digest)
join wootstream.consents c using (organization_id, digest)
where c.purpose = $3 order by c.organization_id, c.digest, c.said_at desc, c.given
"""
_LISTED = """
select purpose, said_at, given, min(text_version) as text_version, min(source) as source, min(heard_at) as heard_at
from wootstream.consents where organization_id = $1 and digest = any ($2::bytea[])
group by purpose, said_at, given order by said_at, purpose, given
"""
# One of each store, then the second of each, and who has waited longest first: a store with a million words delays
# nobody else's first.
_WAITING = """
select w.organization_id, w.digest, w.purpose, w.said_at, w.given, w.text_version, w.source, w.subject, w.turn
from unnest($1::uuid[]) as s (organization_id), lateral (
  select *, row_number() over (order by heard_at, said_at) as turn from wootstream.consents
  where organization_id = s.organization_id and subject is not null order by heard_at, said_at limit $2
) as w
order by turn, heard_at limit $2
"""
_APPLIED = """
update wootstream.consents c set subject = null
from unnest($1::uuid[], $2::bytea[], $3::text[], $4::timestamptz[], $5::bool[]) as n (organization_id, digest, purpose, said_at, given)
where c.organization_id = n.organization_id and c.digest = n.digest and c.purpose = n.purpose and c.said_at = n.said_at and c.given = n.given
"""
_FORGET = "delete from wootstream.consents where organization_id = $1 and digest = any ($2::bytea[])"
_NEED = """
update public.chatwoot_accounts set consent_needed = $2, updated_at = now()
where organization_id = $1 and account_status <> 'deleted' and consent_needed <> $2
"""
_NEEDED = """
select consent_needed from public.chatwoot_accounts where organization_id = $1 and account_status <> 'deleted'
"""


class ConsentRow(NamedTuple):
    """The columns of _ADD; `subject` is the sealed name until the word is applied."""

    organization_id: UUID
    digest: bytes
    purpose: str
    said_at: datetime
    given: bool
    text_version: str | None
    source: str
    subject: str | None


@dataclass(frozen=True, slots=True)
class StoreConsent:
    """What of a store decides whether a batch must look at its people at all."""

    chat_needed: bool
    chat_said: bool
    withdrawn_until: datetime | None


async def of_stores(conn: Connection, stores: Collection[UUID]) -> Mapping[UUID, StoreConsent]:
    """Of each store, which must be in scope; until the transaction ends nobody applies a word to what they keep."""
    return {
        row["organization_id"]: StoreConsent(row["chat_needed"], row["chat_said"], row["withdrawn_until"])
        for row in await conn.fetch(_OF_STORES, list(stores))
    }


async def hold(conn: Connection, store: UUID) -> None:
    """Wait until no batch is under way that has asked, and let none go on asking before this transaction ends."""
    await conn.execute(_HOLD, store)


async def add(conn: Connection, rows: Collection[ConsentRow]) -> set[tuple[UUID, bytes, str, datetime, bool]]:
    """Keep words; the keys of those that were news."""
    if not rows:
        return set()
    found = await conn.fetch(_ADD, *(list(column) for column in zip(*rows, strict=True)))
    return {(row["organization_id"], row["digest"], row["purpose"], row["said_at"], row["given"]) for row in found}


async def withdrawn(conn: Connection, named: Collection[NamedDigest]) -> Mapping[NamedDigest, datetime]:
    """Of those who ever took their consent to analytics back: when they did last."""
    rows = await conn.fetch(_WITHDRAWN, [store for store, _ in named], [digest for _, digest in named])
    return {(row["organization_id"], row["digest"]): row["until"] for row in rows}


async def newest(
    conn: Connection, named: Collection[NamedDigest], purpose: str
) -> Mapping[NamedDigest, tuple[datetime, bool]]:
    """Of each who ever said something of this purpose: when they did last, and whether they agreed."""
    rows = await conn.fetch(_NEWEST, [store for store, _ in named], [digest for _, digest in named], purpose)
    return {(row["organization_id"], row["digest"]): (row["said_at"], row["given"]) for row in rows}


async def listed(conn: Connection, store: UUID, digests: Collection[bytes]) -> Sequence[Row]:
    """Every word under one of these, the oldest first."""
    return await conn.fetch(_LISTED, store, list(digests))


async def waiting(conn: Connection, stores: Collection[UUID], most: int) -> Sequence[Row]:
    """Words that were not applied yet to what was kept before, in turns between these stores."""
    return await conn.fetch(_WAITING, list(stores), most)


async def applied(conn: Connection, rows: Sequence[Row]) -> None:
    """These were."""
    names = ("organization_id", "digest", "purpose", "said_at", "given")
    await conn.execute(_APPLIED, *([row[name] for row in rows] for name in names))


async def forget(conn: Connection, store: UUID, digests: Collection[bytes]) -> int:
    """Every word under one of these; how many."""
    return int((await conn.execute(_FORGET, store, list(digests))).rpartition(" ")[2])


async def need(conn: Connection, store: UUID, purposes: Collection[str]) -> bool:
    """Let the store keep nothing for these without consent, and for all others until somebody objects; whether it is new."""
    return (await conn.execute(_NEED, store, sorted(purposes))) == "UPDATE 1"


async def needed(conn: Connection, store: UUID) -> frozenset[str]:
    return frozenset(await conn.fetchval(_NEEDED, store) or ())
