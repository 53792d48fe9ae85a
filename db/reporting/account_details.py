"""What is known of a store's account, inboxes, agents and teams: release, names, bots, and when Chatwoot's API told."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from db.pool import Connection, Row

_STORES = """
select a.organization_id, a.chatwoot_account_id, a.release, i.inbox_id, i.name, i.has_bot,
  (select jsonb_agg(jsonb_build_array(since, release) order by since) from wootstream.releases r
    where r.organization_id = a.organization_id) as releases
from public.chatwoot_accounts a left join wootstream.inboxes i on i.organization_id = a.organization_id
order by a.account_status = 'deleted', a.created_at desc
"""
# Nearly all are known already: they are left out before the insert looks for conflicts.
_NOTE = """
insert into wootstream.directory (organization_id, kind, id)
select * from unnest($1::uuid[], $2::text[], $3::int[]) as n (organization_id, kind, id)
where not exists (select from wootstream.directory d
  where d.organization_id = n.organization_id and d.kind = n.kind and d.id = n.id)
order by 1, 2, 3 on conflict do nothing
"""
# A store is read when it was not for a day, and when somebody unknown is named; not again at once when that did not help.
_UNREAD = """
select a.organization_id from public.chatwoot_accounts a
left join wootstream.directory_readings r on r.organization_id = a.organization_id
where a.account_status = 'active' and a.api_access_token is not null and (
  r.asked_at is null or r.asked_at < $1::timestamptz - $3::interval and (
    r.told_at is null or r.told_at < $1::timestamptz - $2::interval
    or exists (select from wootstream.directory d where d.organization_id = a.organization_id and d.checked_at is null)
    or exists (select from wootstream.inboxes i where i.organization_id = a.organization_id and i.checked_at is null)))
order by r.asked_at nulls first
"""
_ASKED = """
insert into wootstream.directory_readings as r (organization_id, asked_at, told_at, fault)
values ($1, $2::timestamptz, case when $3::text is null then $2::timestamptz end, $3)
on conflict (organization_id) do update set asked_at = excluded.asked_at,
  told_at = coalesce(excluded.told_at, r.told_at), fault = excluded.fault
"""
_PUT_NAMES = """
insert into wootstream.directory as d (organization_id, kind, id, name, checked_at)
select $1, $2, n.id, n.name, $5 from unnest($3::int[], $4::text[]) as n (id, name) order by 3
on conflict (organization_id, kind, id) do update set name = excluded.name, checked_at = excluded.checked_at
"""
# Those that the API no longer names were asked for, too.
_CHECKED = "update wootstream.directory set checked_at = $2 where organization_id = $1 and checked_at is null"
# The bot decides when the first response counts from, and rows bear the name: where either is another, all of the inbox
# is reckoned again.
_PUT_INBOXES = """
insert into wootstream.inboxes as i (organization_id, inbox_id, name, has_bot, checked_at, recount_after)
select $1, n.id, n.name, n.has_bot, $5, case when n.has_bot then 0 end
from unnest($2::int[], $3::text[], $4::bool[]) as n (id, name, has_bot) order by 2
on conflict (organization_id, inbox_id) do update set name = excluded.name, has_bot = excluded.has_bot,
  checked_at = excluded.checked_at, updated_at = now(),
  recount_after = case when i.has_bot = excluded.has_bot and i.name is not distinct from excluded.name then i.recount_after else 0 end
"""
# From webhooks: has_bot stays, for they do not say it. Rows written before the name was known would lack it for as long
# as nobody spoke there again: whether one did would depend on which webhooks came in one batch.
_NAME_INBOXES = """
insert into wootstream.inboxes (organization_id, inbox_id, name, recount_after)
select organization_id, inbox_id, name, 0 from unnest($1::uuid[], $2::int[], $3::text[]) as n (organization_id, inbox_id, name) order by 1, 2
on conflict (organization_id, inbox_id) do update set name = excluded.name, updated_at = now(), recount_after = 0
"""
_MARK_BOTS = """
insert into wootstream.inboxes as i (organization_id, inbox_id, has_bot)
select $1, unnest($2::int[]), true
on conflict (organization_id, inbox_id) do update set has_bot = true, updated_at = now(),
  recount_after = case when i.has_bot then i.recount_after else 0 end
"""
_CHECKED_INBOXES = "update wootstream.inboxes set checked_at = $2 where organization_id = $1 and checked_at is null"
_PUT_RELEASE = """
insert into wootstream.releases (organization_id, since, release)
select $1, case when k.release is null then 'epoch' else $3::timestamptz end, $2
from (select (select release from wootstream.releases where organization_id = $1 order by since desc limit 1)) k (release)
where k.release is distinct from $2
"""
# What was reckoned before anybody asked, by the release that the operator named.
_CORRECT = """
update wootstream.inboxes set recount_after = 0 where organization_id = $1
  and (select count(*) from wootstream.releases where organization_id = $1) = 1
  and exists (select from public.chatwoot_accounts a where a.organization_id = $1 and a.account_status <> 'deleted' and a.release <> $2)
"""
_RECOUNTS = "select organization_id, inbox_id, recount_after from wootstream.inboxes where recount_after is not null"
_NEXT = """
select conversation_id from wootstream.conversations
where organization_id = $1 and inbox_id = $2 and conversation_id > $3 order by conversation_id limit $4
"""
_RECOUNTED = """
update wootstream.inboxes set recount_after = $3 where organization_id = $1 and inbox_id = $2 and recount_after is not null
"""
_UNKNOWN_BOTS = """
select i.inbox_id, i.name, r.fault, a.api_access_token is null as without_token from wootstream.inboxes i
join public.chatwoot_accounts a on a.organization_id = i.organization_id and a.account_status <> 'deleted'
left join wootstream.directory_readings r on r.organization_id = i.organization_id
where i.organization_id = $1 and i.checked_at is null and not i.has_bot order by 1
"""


async def stores(conn: Connection) -> Sequence[Row]:
    """Account, release and inboxes of the stores in scope: one row an inbox, or one with none."""
    return await conn.fetch(_STORES)


async def note(conn: Connection, ids: Collection[tuple[UUID, str, int]]) -> None:
    """Remember (store, "agent" or "team", id) whose names are to be asked for."""
    if ids:
        await conn.execute(_NOTE, *zip(*sorted(ids), strict=True))


async def unread(conn: Connection, *, now: datetime, every: timedelta, again: timedelta) -> list[UUID]:
    """Stores in scope whose API is to be read, the one asked longest ago first; those without a token cannot be."""
    return [row["organization_id"] for row in await conn.fetch(_UNREAD, now, every, again)]


async def asked(conn: Connection, organization: UUID, *, at: datetime, fault: str | None) -> None:
    """The API was asked; `fault` says why it did not tell."""
    await conn.execute(_ASKED, organization, at, fault)


async def put_names(
    conn: Connection, organization: UUID, kind: str, names: Sequence[tuple[int, str | None]], *, at: datetime
) -> None:
    """What agents or teams are called."""
    if names:
        await conn.execute(_PUT_NAMES, organization, kind, *zip(*names, strict=True), at)


async def put_inboxes(
    conn: Connection, organization: UUID, inboxes: Sequence[tuple[int, str | None, bool]], *, at: datetime
) -> None:
    """What inboxes are called and which have a bot; where that changed, their conversations wait to be reckoned again."""
    if inboxes:
        await conn.execute(_PUT_INBOXES, organization, *zip(*inboxes, strict=True), at)


async def name_inboxes(conn: Connection, rows: Collection[tuple[UUID, int, str]]) -> None:
    """What a webhook calls inboxes; whether they have a bot, it does not say."""
    if rows:
        await conn.execute(_NAME_INBOXES, *zip(*sorted(rows), strict=True))


async def mark_bots(conn: Connection, organization: UUID, inboxes: Collection[int]) -> None:
    """What the operator says: these inboxes have an agent bot, on which Chatwoot's first-response rule depends."""
    await conn.execute(_MARK_BOTS, organization, sorted(inboxes))


async def put_release(conn: Connection, organization: UUID, release: str, *, at: datetime) -> None:
    """The store's Chatwoot is on this release; the first one told holds for all before, whatever the operator named."""
    if await conn.execute(_PUT_RELEASE, organization, release, at) == "INSERT 0 1":
        await conn.execute(_CORRECT, organization, release)


async def checked(conn: Connection, organization: UUID, *, at: datetime) -> None:
    """Whom the API did not name is no longer unknown: it is gone."""
    await conn.execute(_CHECKED, organization, at)
    await conn.execute(_CHECKED_INBOXES, organization, at)


async def recounts(conn: Connection) -> Sequence[Row]:
    """Inboxes in scope whose conversations wait to be reckoned again, and how far that is."""
    return await conn.fetch(_RECOUNTS)


async def beyond(conn: Connection, organization: UUID, inbox_id: int, after: int, *, limit: int) -> list[int]:
    """The next conversations of an inbox by number."""
    return [row["conversation_id"] for row in await conn.fetch(_NEXT, organization, inbox_id, after, limit)]


async def recounted(conn: Connection, organization: UUID, inbox_id: int, *, up_to: int | None) -> None:
    """How far it is now; None: all done."""
    await conn.execute(_RECOUNTED, organization, inbox_id, up_to)


async def unknown_bots(conn: Connection, organization: UUID) -> Sequence[Row]:
    """Inboxes of which nobody told whether a bot answers first there, with the API's fault; `without_token`: it has none."""
    return await conn.fetch(_UNKNOWN_BOTS, organization)
