"""A store that is erased whole: table by table, some rows at a time. As role wootstream_privacy, the store in scope."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from db.pool import Connection, Row
from db.privacy import erasing

# Every table of ours with rows of stores, by its own name; a partition is its parent's matter, a child follows its parent.
_TABLES = """
select format('%I.%I', n.nspname, c.relname) as name, c.relkind = 'p' as partitioned
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'wootstream') and c.relkind in ('r', 'p') and not c.relispartition
  and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped)
  and has_table_privilege(c.oid, 'delete') order by c.relname = 'chatwoot_accounts', c.relname
"""
_SOME = "delete from {table} where ctid = any (array(select ctid from {table} where organization_id = $1 limit $2))"
_SPAN = "delete from {table} where organization_id = $1 and created_at >= $2 and created_at < $3"
_COUNT = "select count(*) from {table} where organization_id = $1"
ACCOUNT = "public.chatwoot_accounts"
_WIDGET_EVENTS = "public.chatwoot_widget_events"
_BEGIN = """
insert into wootstream.erased_stores (organization_id, slug, request_id, source, asked_at)
select organization_id, slug, $2, $3, $4 from public.chatwoot_accounts where organization_id = $1 limit 1
on conflict do nothing returning slug
"""
_OPEN = "select * from wootstream.erased_stores where finished_at is null order by asked_at, organization_id"
_OF = "select * from wootstream.erased_stores where organization_id = $1"
_PUBLISHED = "update wootstream.erased_stores set published = $2 where organization_id = $1"
_GONE = """
update wootstream.erased_stores set proof = proof || jsonb_build_object($2::text, coalesce((proof ->> $2)::bigint, 0) + $3::bigint)
where organization_id = $1
"""
_COUNTS = "select wootstream.forget_letter_counts()"
_FINISHED = "update wootstream.erased_stores set finished_at = clock_timestamp() where organization_id = $1"
_HOLDS = "select count(*) from wootstream.legal_holds where organization_id = $1"
_WISHED = "select erase_when_redacted from public.chatwoot_accounts where organization_id = $1 and account_status <> 'deleted'"
_EVENT_SPAN = timedelta(days=1)


async def tables(conn: Connection) -> list[str]:
    """All that may be deleted from; the account, by which a store is found, is the last."""
    return [row["name"] for row in await conn.fetch(_TABLES)]


async def counts(conn: Connection, store: UUID) -> dict[str, int]:
    """Rows by table, where there are any."""
    found = {table: await conn.fetchval(_COUNT.format(table=table), store) for table in await tables(conn)}
    return {table: rows for table, rows in found.items() if rows}


async def held(conn: Connection, store: UUID) -> int:
    """How many names the law bids to keep."""
    return int(await conn.fetchval(_HOLDS, store))


async def wished(conn: Connection, store: UUID) -> bool:
    """Whether the store was attached to be erased when its shop platform says so."""
    return bool(await conn.fetchval(_WISHED, store))


async def begin(conn: Connection, store: UUID, request: UUID, source: str, asked_at: datetime) -> bool:
    """From the commit of this on no batch applies anything of it; whether it is news."""
    return await conn.fetchval(_BEGIN, store, request, source, asked_at) is not None


async def unfinished(conn: Connection) -> Sequence[Row]:
    """Those in scope that are under way."""
    return await conn.fetch(_OPEN)


async def one(conn: Connection, store: UUID) -> Row | None:
    """None where it was not erased."""
    return await conn.fetchrow(_OF, store)


async def published(conn: Connection, store: UUID, place: str) -> None:
    await conn.execute(_PUBLISHED, store, place)


async def delete_some(conn: Connection, store: UUID, table: str, most: int) -> int:
    """So many rows of a table, or of widget events a day; how many went, which the proof knows then."""
    if table == _WIDGET_EVENTS:
        gone = await _delete_a_day(conn, store)
    else:
        gone = _count(await conn.execute(_SOME.format(table=table), store, most))
    if gone:
        await conn.execute(_GONE, store, table.rpartition(".")[2], gone)
    return gone


async def finish(conn: Connection, store: UUID) -> None:
    """The account goes, and with it every way to the store; the row stays."""
    await conn.execute(_COUNTS)
    await delete_some(conn, store, ACCOUNT, 1_000)
    await conn.execute(_FINISHED, store)


async def _delete_a_day(conn: Connection, store: UUID) -> int:
    """A partitioned table knows no place of a row; its first day does."""
    span = await erasing.event_span(conn, store)
    if span is None:
        return 0
    return _count(await conn.execute(_SPAN.format(table=_WIDGET_EVENTS), store, span[0], span[0] + _EVENT_SPAN))


def _count(status: Any) -> int:
    return int(str(status).rpartition(" ")[2])
