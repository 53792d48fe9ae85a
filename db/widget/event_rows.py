"""Widget events, each once, and in the same statement their daily counts."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from db.pool import Connection, Row
from db.widget.daily import COUNT_INTO_DAYS

Key = tuple[int, int]  # store and event, as numbers: their hashes cost a tenth; the moment is in the event's id

# A plan for any number of rows takes them for ten, and compares each with each.
_PLAN = "set local plan_cache_mode = force_custom_plan"
# What their last withdrawal covers is counted like all events, and kept without whatever names somebody.
_NAMING = ("session_id", "user_id", "customer_id", "page_url", "user_agent", "ip_address", "referrer")
_COLUMNS = (
    "organization_id", "created_at", "id", "event_type", "session_id", "user_id", "customer_id", "page_url", "user_agent",
    "ip_address", "referrer", "load_time_ms", "widget_version", "event_data",
)  # fmt: skip
_IS_UNNAMED = "(organization_id, id) in (select * from unnest($15::uuid[], $16::uuid[]))"
_EMPTY = dict.fromkeys(_NAMING, "null") | {"event_data": "'{}'::jsonb"}
_UNNAMED = ", ".join(
    f"case when {_IS_UNNAMED} then {_EMPTY[name]} else {name} end" if name in _EMPTY else name for name in _COLUMNS
)
# One statement: what was there already is neither inserted nor counted. It answers with those, for they are the fewest.
# Addresses and JSON go as texts: the driver's own form of them cost as much as all other columns together.
_STATEMENT = """
with given as (
select organization_id, created_at, id, event_type, session_id, user_id, customer_id, page_url, user_agent, ip_address::inet as ip_address,
  referrer, load_time_ms, widget_version, event_data::jsonb as event_data
from unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[], $9::text[],
  $10::text[], $11::text[], $12::int[], $13::text[], $14::text[]) as g (organization_id, created_at, id, event_type,
  session_id, user_id, customer_id, page_url, user_agent, ip_address, referrer, load_time_ms, widget_version, event_data)
), added as (
insert into public.chatwoot_widget_events (organization_id, created_at, id, event_type, session_id, user_id, customer_id, page_url,
  user_agent, ip_address, referrer, load_time_ms, widget_version, event_data)
select {kept} from given order by 1, 2, 3
on conflict do nothing
returning organization_id, created_at, id, event_type, page_url, user_agent, load_time_ms, event_data
){news}, counted as (
{count}
on conflict (organization_id, day, event_type, page_group, device_class, load_ms) do update set
  events = d.events + excluded.events, failures = d.failures + excluded.failures
)
select organization_id, id from given except all select organization_id, id from added
"""
_ADD = _STATEMENT.format(kept="*", news="", count=COUNT_INTO_DAYS.format(events="added"))
# The rows that come back no longer say what is counted, so those that were given do.
_NEWS = ", news as (select g.* from given g join added a using (organization_id, created_at, id))"
_ADD_UNNAMED = _STATEMENT.format(kept=_UNNAMED, news=_NEWS, count=COUNT_INTO_DAYS.format(events="news"))

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


class WidgetEventRow(NamedTuple):
    """The columns of _ADD; the first three are the key."""

    organization_id: UUID
    created_at: datetime
    id: UUID
    event_type: str
    session_id: str | None
    user_id: UUID | None
    customer_id: str | None
    page_url: str | None
    user_agent: str | None
    ip_address: str | None  # as inet reads it
    referrer: str | None
    load_time_ms: int | None
    widget_version: str | None
    event_data: str  # JSON


async def add(
    conn: Connection, rows: Sequence[WidgetEventRow], *, unnamed: Collection[tuple[UUID, UUID]] = ()
) -> set[Key]:
    """Keep events, the `unnamed` (store, event) without whatever names somebody; the keys of those that were known
    already. One row a key."""
    await conn.execute(_PLAN)
    if unnamed:
        columns = zip(*unnamed, strict=True)
        known = await conn.fetch(_ADD_UNNAMED, *zip(*rows, strict=True), *map(list, columns))
    else:
        known = await conn.fetch(_ADD, *zip(*rows, strict=True))
    return {(row["organization_id"].int, row["id"].int) for row in known}


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
