"""Conversations that have left here and are still to be deleted in Chatwoot; as role wootstream_privacy."""

from collections.abc import Collection, Sequence
from uuid import UUID

from db.pool import Connection, Row

# Only where the store says so: the numbers are noted in the transaction in which all else of them leaves.
_NOTE = """
insert into wootstream.chatwoot_deletions (organization_id, chatwoot_account_id, conversation_id)
select c.organization_id, c.chatwoot_account_id, c.chatwoot_conversation_id
from public.chatwoot_conversations c
join wootstream.retention r on r.organization_id = c.organization_id and r.kind = 'chat' and r.in_chatwoot
where c.organization_id = $1 and c.chatwoot_conversation_id = any ($2::int[]) on conflict do nothing
"""
_WAITING = """
select organization_id, chatwoot_account_id, conversation_id from wootstream.chatwoot_deletions
where organization_id = $1 order by chatwoot_account_id, conversation_id limit $2
"""
_DONE = """
delete from wootstream.chatwoot_deletions where organization_id = $1 and chatwoot_account_id = $2 and conversation_id = $3
"""
# Who no longer wants it, or has left the account, has nothing deleted there.
_GIVE_UP = """
delete from wootstream.chatwoot_deletions d where organization_id = $1 and (
  not exists (select from wootstream.retention r where r.organization_id = $1 and r.kind = 'chat' and r.in_chatwoot)
  or not exists (select from public.chatwoot_accounts a where a.organization_id = $1 and a.chatwoot_account_id = d.chatwoot_account_id
    and a.account_status = 'active'))
"""
_ALL = "select organization_id, count(*) as conversations from wootstream.chatwoot_deletions group by 1 order by 1"


async def note(conn: Connection, store: UUID, ids: Collection[int]) -> None:
    """Before they leave: of a store that wants that."""
    await conn.execute(_NOTE, store, list(ids))


async def give_up(conn: Connection, store: UUID) -> None:
    """Forget what is not to be deleted any more."""
    await conn.execute(_GIVE_UP, store)


async def waiting(conn: Connection, store: UUID, most: int) -> Sequence[Row]:
    """The next of a store: chatwoot_account_id, conversation_id."""
    return await conn.fetch(_WAITING, store, most)


async def done(conn: Connection, store: UUID, account: int, conversation: int) -> None:
    """It is gone there."""
    await conn.execute(_DONE, store, account, conversation)


async def by_store(conn: Connection) -> dict[UUID, int]:
    """How many wait, of the stores in scope that have any."""
    return {row["organization_id"]: row["conversations"] for row in await conn.fetch(_ALL)}
