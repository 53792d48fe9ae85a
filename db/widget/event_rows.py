"""Widget events, each once, and in the same statement their daily counts."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from db.pool import Connection, Row
from db.widget.binary_rows import WidgetEventRow, encoded, stream
from db.widget.daily import COUNT_INTO_DAYS, NOBODYS_DATA

Key = tuple[int, int]  # store and event, as numbers: their hashes cost a tenth; the moment is in the event's id

# A plan for any number of rows takes them for ten, and compares each with each.
_PLAN = "set local plan_cache_mode = force_custom_plan"
# Many rows come by COPY into a table of the session, encoded before, for the driver makes arrays while PostgreSQL waits;
# few as arrays, which ask for nothing before them. A table whose columns change takes another name, for behind a
# pooler it outlives a release.
_MANY = 300
_ARRIVING = "widget_events_arriving"
# What their last withdrawal covers is counted like all events, and kept without whatever names somebody.
_NAMING = ("session_id", "user_id", "customer_id", "page_url", "user_agent", "ip_address", "referrer")
_TYPES = {
    "organization_id": "uuid", "created_at": "timestamptz", "id": "uuid", "event_type": "text", "session_id": "text",
    "user_id": "uuid", "customer_id": "text", "page_url": "text", "user_agent": "text", "ip_address": "text",
    "referrer": "text", "load_time_ms": "int", "widget_version": "text", "event_data": "text",
}  # fmt: skip
_COLUMNS = ", ".join(_TYPES)
_MAKE_ROOM = f"""
{_PLAN};
set local client_min_messages = warning;
create temporary table if not exists {_ARRIVING} ({", ".join(map(" ".join, _TYPES.items()))}) on commit delete rows;
delete from pg_temp.{_ARRIVING}
"""  # noqa: S608
_IS_UNNAMED = "(organization_id, id) in (select * from unnest($15::uuid[], $16::uuid[]))"
_EMPTY = dict.fromkeys(_NAMING, "null") | {"event_data": NOBODYS_DATA}
_UNNAMED = ", ".join(
    f"case when {_IS_UNNAMED} then {_EMPTY[name]} else {name} end" if name in _EMPTY else name for name in _TYPES
)
_JUDGED = {
    "ip_address": "ip_address::inet as ip_address",
    "event_data": "case event_data when '{{}}' then '{{}}' else event_data::jsonb end as event_data",
}
_GIVEN = ", ".join(_JUDGED.get(name, name) for name in _TYPES)
_ARRAYS = f"""unnest({", ".join(f"${at}::{kind}[]" for at, kind in enumerate(_TYPES.values(), 1))}) as g ({_COLUMNS})"""
_ADD_TO_COUNTS = """
on conflict (organization_id, day, event_type, page_group, device_class, load_ms) do update set
  events = d.events + excluded.events, failures = d.failures + excluded.failures
"""
# One statement: what was there already is neither inserted nor counted. It answers with those, which are looked for only
# where there are any. Addresses and JSON go as texts: the driver's own form of them cost as much as all other columns.
_STATEMENT = f"""
with given as {{once}} (
select {_GIVEN} from {{source}}
), added as (
insert into public.chatwoot_widget_events ({_COLUMNS})
select {{kept}} from given {{order}}
on conflict do nothing
returning organization_id, created_at, id, event_type, page_url, user_agent, load_time_ms, event_data
){{news}}, counted as (
{{count}}
{_ADD_TO_COUNTS}
)
select organization_id, id from (
  select organization_id, id from given except all select organization_id, id from added
) known where {{so_many}} > (select count(*) from added)
"""  # noqa: S608
_OF_ARRAYS = {"once": "materialized", "source": _ARRAYS, "so_many": "cardinality($1)", "order": "order by 1, 2, 3"}
# Many are not sorted, which costs more than it gives where they come store by store. Consumers that bring the same events
# at once may then wait for each other: PostgreSQL ends one, which tries again.
_OF_TABLE = {"once": "not materialized", "source": f"pg_temp.{_ARRIVING}", "so_many": "$1::int", "order": ""}
_OF_ADDED = {"kept": _COLUMNS, "news": "", "count": COUNT_INTO_DAYS.format(events="added")}
_ADD = _STATEMENT.format(**_OF_ARRAYS, **_OF_ADDED)
_ADD_ARRIVED = _STATEMENT.format(**_OF_TABLE, **_OF_ADDED)
# Where all are new, looking for each and making ready to take it back is half of what inserting it costs. One that was
# there after all is refused, and all with it.
_ARRIVED = f"select {_GIVEN.format()} from pg_temp.{_ARRIVING}"  # noqa: S608
_INSERT_ARRIVED = f"insert into public.chatwoot_widget_events ({_COLUMNS}) {_ARRIVED}"
_COUNT_ARRIVED = f"""
with arrived as not materialized ({_ARRIVED})
{COUNT_INTO_DAYS.format(events="arrived")}
{_ADD_TO_COUNTS}
"""
# The rows that come back no longer say what is counted, so those that were given do.
_NEWS = ", news as (select g.* from given g join added a using (organization_id, created_at, id))"
_ADD_UNNAMED = _STATEMENT.format(**_OF_ARRAYS, kept=_UNNAMED, news=_NEWS, count=COUNT_INTO_DAYS.format(events="news"))

_FORGET = """
with gone as (
  select created_at, id from public.chatwoot_widget_events where organization_id = $1 and created_at < $2 order by created_at, id limit $3
)
delete from public.chatwoot_widget_events e using gone
where e.organization_id = $1 and e.created_at = gone.created_at and e.id = gone.id
"""

_OLDEST = """
select created_at, id, session_id, customer_id, user_id from public.chatwoot_widget_events
where organization_id = $1 and created_at < $2 and (created_at, id) > ($3, $4) order by created_at, id limit $5
"""
_FORGET_THESE = """
delete from public.chatwoot_widget_events e using unnest($2::timestamptz[], $3::uuid[]) as k (created_at, id)
where e.organization_id = $1 and e.created_at = k.created_at and e.id = k.id
"""
_ANY_OF = """
select exists (select from unnest($1::uuid[]) as s (id), public.chatwoot_widget_events e
  where e.organization_id = s.id and e.created_at >= $2 and e.created_at < $3)
"""


async def add(
    conn: Connection,
    rows: Sequence[WidgetEventRow],
    *,
    pieces: Collection[bytes] = (),
    unnamed: Collection[tuple[UUID, UUID]] = (),
    all_new: bool = False,
) -> set[Key]:
    """Keep events, the `unnamed` (store, event) without whatever names somebody; the keys of those that were known
    already. One row a key. `pieces` are the same rows encoded, where that was done before. `all_new` where none is
    likely to be known: it is faster then, and else slower."""
    if unnamed:
        await conn.execute(_PLAN)
        columns = zip(*unnamed, strict=True)
        known = await conn.fetch(_ADD_UNNAMED, *zip(*rows, strict=True), *map(list, columns))
    elif len(rows) < _MANY:
        await conn.execute(_PLAN)
        known = await conn.fetch(_ADD, *zip(*rows, strict=True))
    else:
        await _arrive(conn, pieces or [encoded(rows)])
        if all_new and await _all_inserted(conn):
            return set()
        known = await conn.fetch(_ADD_ARRIVED, len(rows))
    return {(row["organization_id"].int, row["id"].int) for row in known}


async def _arrive(conn: Connection, pieces: Collection[bytes]) -> None:
    await conn.execute(_MAKE_ROOM)
    await conn.copy_to_table(
        _ARRIVING, schema_name="pg_temp", source=stream(pieces), columns=[*_TYPES], format="binary"
    )


async def _all_inserted(conn: Connection) -> bool:
    """Whether all that arrived was new, and is inserted and counted now; if not, nothing is."""
    try:
        async with conn.transaction():
            await conn.execute(_INSERT_ARRIVED)
    except asyncpg.UniqueViolationError:
        return False
    await conn.execute(_COUNT_ARRIVED)
    return True


async def forget(conn: Connection, organization: UUID, before: datetime, *, most: int) -> int:
    """Delete the oldest of a store's events of a time that is over, so many at most; how many. As wootstream_privacy."""
    return int((await conn.execute(_FORGET, organization, before, most)).rpartition(" ")[2])


async def oldest(
    conn: Connection, organization: UUID, before: datetime, after: tuple[datetime, UUID], *, most: int
) -> Sequence[Row]:
    """A page of a store's events of a time that is over: created_at, id, session_id, customer_id, user_id."""
    return await conn.fetch(_OLDEST, organization, before, *after, most)


async def forget_these(conn: Connection, organization: UUID, keys: Sequence[tuple[datetime, UUID]]) -> int:
    """Delete these; how many. As wootstream_privacy."""
    columns = [[key[at] for key in keys] for at in (0, 1)]
    return int((await conn.execute(_FORGET_THESE, organization, *columns)).rpartition(" ")[2])


async def any_of(conn: Connection, organizations: Collection[UUID], begin: datetime, end: datetime) -> bool:
    """Whether one of these stores, in scope, has an event of this span."""
    return bool(await conn.fetchval(_ANY_OF, list(organizations), begin, end))
