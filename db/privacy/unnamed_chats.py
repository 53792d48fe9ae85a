"""Conversations of contacts who have not agreed to be named: a keyed hash stands where the contact's number was.

A contact who agrees later is named again by it. Figures stay as they are either way.
"""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from db.pool import Connection, Row

ContactKey = tuple[UUID, int]  # store and Chatwoot's number
_NAMES = """
select k.organization_id, k.contact_id, c.customer_id, c.email, c.phone
from unnest($1::uuid[], $2::int[]) as k (organization_id, contact_id)
join public.chatwoot_contacts c on c.organization_id = k.organization_id and c.chatwoot_contact_id = k.contact_id
"""
_AFTER = """
select n.contact_id from (
  select chatwoot_contact_id as contact_id from public.chatwoot_contacts where organization_id = $1
  union select contact_id from wootstream.conversations where organization_id = $1 and contact_id is not null
) n where n.contact_id > $2 order by 1 limit $3
"""
_ANY_HIDDEN = (
    "select exists (select from wootstream.conversations where organization_id = $1 and contact_digest is not null)"
)
_OF = "select conversation_id from wootstream.conversations where organization_id = $1 and contact_digest = any ($2::bytea[])"
_WITHHOLD = """
update wootstream.conversations c set contact_digest = n.digest
from unnest($1::uuid[], $2::int[], $3::bytea[]) as n (organization_id, conversation_id, digest)
where c.organization_id = n.organization_id and c.conversation_id = n.conversation_id and c.contact_digest is distinct from n.digest
"""
_WORTH = """
update public.chatwoot_conversations c set customer_value = null, order_count = null
from unnest($1::uuid[], $2::int[]) as n (organization_id, conversation_id)
where c.organization_id = n.organization_id and c.chatwoot_conversation_id = n.conversation_id
  and (c.customer_value is not null or c.order_count is not null)
"""
# Also those that a batch has put without their contact since: what it did not touch may name them still.
_THEIRS = """
select c.conversation_id, n.digest, c.contact_id is not null as named
from unnest($2::int[], $3::bytea[]) as n (contact_id, digest)
join wootstream.conversations c on c.organization_id = $1 and (c.contact_id = n.contact_id or c.contact_digest = n.digest)
order by 1 for update of c
"""
_HIDE = """
update wootstream.conversations c set contact_id = null, contact_digest = n.digest, seen = jsonb_set(c.seen, '{contact_id}', 'null', false)
from unnest($2::int[], $3::bytea[]) as n (conversation_id, digest)
where c.organization_id = $1 and c.conversation_id = n.conversation_id
"""
_HIDE_ROWS = """
update public.chatwoot_conversations set chatwoot_contact_id = null, customer_value = null, order_count = null, updated_at = now()
where organization_id = $1 and (chatwoot_conversation_id = any ($2::int[]) or chatwoot_contact_id = any ($3::int[]))
  and (chatwoot_contact_id is not null or customer_value is not null or order_count is not null)
"""
_HIDE_SENDERS = """
update wootstream.messages set sender_id = null
where organization_id = $1 and conversation_id = any ($2::int[]) and sender_id is not null and (kind = 'incoming' or speaker = 'contact')
"""
_SHOW = """
update wootstream.conversations c set contact_id = n.contact_id, contact_digest = null, seen = jsonb_set(c.seen, '{contact_id}', to_jsonb(n.contact_id))
from unnest($2::int[], $3::bytea[]) as n (contact_id, digest)
where c.organization_id = $1 and c.contact_digest = n.digest returning c.conversation_id, c.contact_id
"""
_SHOW_ROWS = """
update public.chatwoot_conversations c set chatwoot_contact_id = n.contact_id, order_count = 0, updated_at = now()
from unnest($2::int[], $3::int[]) as n (conversation_id, contact_id)
where c.organization_id = $1 and c.chatwoot_conversation_id = n.conversation_id
"""
_SHOW_SENDERS = """
update wootstream.messages m set sender_id = n.contact_id
from unnest($2::int[], $3::int[]) as n (conversation_id, contact_id)
where m.organization_id = $1 and m.conversation_id = n.conversation_id and m.speaker = 'contact' and m.sender_id is null
"""
_SHOW_WORTH = """
update public.chatwoot_conversations c set order_count = n.order_count, customer_value = n.value
from unnest($2::int[], $3::int[], $4::numeric[]) as n (conversation_id, order_count, value)
where c.organization_id = $1 and c.chatwoot_conversation_id = n.conversation_id
"""
_FORGET = "update wootstream.conversations set contact_digest = null where organization_id = $1 and contact_digest = any ($2::bytea[])"


class WithheldRow(NamedTuple):
    """The columns of _WITHHOLD."""

    organization_id: UUID
    conversation_id: int
    digest: bytes


async def names(conn: Connection, contacts: Collection[ContactKey]) -> Sequence[Row]:
    """What is known of these contacts: customer_id, email, phone."""
    return await conn.fetch(_NAMES, [store for store, _ in contacts], [contact for _, contact in contacts])


async def contacts_after(conn: Connection, store: UUID, contact: int, most: int) -> list[int]:
    """Every contact that a store's tables name, by number."""
    return [row["contact_id"] for row in await conn.fetch(_AFTER, store, contact, most)]


async def any_hidden(conn: Connection, store: UUID) -> bool:
    """Whether a hash stands for anybody in the store."""
    return bool(await conn.fetchval(_ANY_HIDDEN, store))


async def of(conn: Connection, store: UUID, digests: Collection[bytes]) -> set[int]:
    """Conversations in which one of these stands for the contact."""
    return {row["conversation_id"] for row in await conn.fetch(_OF, store, list(digests))}


async def withhold(conn: Connection, rows: Collection[WithheldRow]) -> None:
    """Of conversations that were just put without their contact: the hash instead, and not what they were worth."""
    if rows:
        columns = [list(column) for column in zip(*sorted(rows), strict=True)]
        await conn.execute(_WITHHOLD, *columns)
        await conn.execute(_WORTH, *columns[:2])


async def hide(conn: Connection, store: UUID, contacts: Mapping[int, bytes]) -> int:
    """Take the contacts' numbers out of what was kept; in how many conversations. As wootstream_privacy, like the next."""
    theirs = await conn.fetch(_THEIRS, store, [*contacts], [*contacts.values()]) if contacts else ()
    named = [row for row in theirs if row["named"]]
    if named:
        columns = [row["conversation_id"] for row in named], [row["digest"] for row in named]
        await conn.execute(_HIDE, store, *columns)
    if theirs:
        ids = [row["conversation_id"] for row in theirs]
        await conn.execute(_HIDE_ROWS, store, ids, [*contacts])
        await conn.execute(_HIDE_SENDERS, store, ids)
    return len(named)


async def show(conn: Connection, store: UUID, contacts: Sequence[tuple[int, bytes]]) -> list[tuple[int, int]]:
    """Put the contacts' numbers where a hash of them stands; (conversation, contact) of each."""
    found = await conn.fetch(_SHOW, store, [contact for contact, _ in contacts], [digest for _, digest in contacts])
    shown = [(row["conversation_id"], row["contact_id"]) for row in found]
    if shown:
        columns = [[one[at] for one in shown] for at in (0, 1)]
        await conn.execute(_SHOW_ROWS, store, *columns)
        await conn.execute(_SHOW_SENDERS, store, *columns)
    return shown


async def show_worth(conn: Connection, store: UUID, rows: Sequence[tuple[int, int | None, Decimal | None]]) -> None:
    """Orders and value of these (conversation, orders, value)."""
    if rows:
        await conn.execute(_SHOW_WORTH, store, *(list(column) for column in zip(*rows, strict=True)))


async def forget(conn: Connection, store: UUID, digests: Collection[bytes]) -> int:
    """Name them never again; how many conversations."""
    return int((await conn.execute(_FORGET, store, list(digests))).rpartition(" ")[2])
