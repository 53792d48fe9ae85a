"""Daily counts of widget events: counted with each batch, and anew from the events that are kept."""

from collections.abc import Sequence
from datetime import date
from typing import Literal
from uuid import UUID

from db.pool import Connection, Row

Grouping = Literal["total", "days", "pages"]

# A day is one of the store's own calendar; of a store that was attached anew the account that lives says which.
ZONE = """
  select coalesce((select a.timezone from public.chatwoot_accounts a where a.organization_id = {store}
    order by a.account_status = 'deleted', a.created_at desc limit 1), 'UTC') as zone"""
# Batches of other partitions count the same days: one at a time, from its first count to its commit. An order of rows
# would not do, for a batch that is tried by halves counts several times. Asked for above the groups, so after the rows.
_TURN = "pg_advisory_xact_lock(hashtext('wootstream/widget days')) is not null"
_FAILED = "event_type = 'widget_loaded' and event_data -> 'failed' = 'true'"
# What is left of an event's data where it names nobody: what is counted of it, so that a day made anew is the same.
NOBODYS_DATA = f"""case when {_FAILED} then '{{"failed": true}}'::jsonb else '{{}}'::jsonb end"""
# The one place that says what is counted: of a batch's new events, and of all events of a day. Pages and devices are
# judged once each, for their patterns cost more than a row.
COUNT_INTO_DAYS = f"""
insert into public.chatwoot_widget_daily as d (organization_id, day, event_type, page_group, device_class, load_ms, events, failures)
select * from (
select e.organization_id, (e.created_at at time zone z.zone)::date, e.event_type, coalesce(p.page_group, 'none'),
  coalesce(a.device_class, 'unknown'), wootstream.load_step(e.load_time_ms), count(*),
  count(*) filter (where {_FAILED})
from {{events}} e join (
  select s.organization_id, z.zone from (select distinct organization_id from {{events}}) s, lateral ({ZONE.format(store="s.organization_id")}) z
  offset 0
) z using (organization_id) left join (
  select url, wootstream.page_group(url) as page_group from (select distinct page_url as url from {{events}}) p offset 0
) p on p.url = e.page_url left join (
  select agent, wootstream.device_class(agent) as device_class from (select distinct user_agent as agent from {{events}}) a offset 0
) a on a.agent = e.user_agent
group by 1, 2, 3, 4, 5, 6
) counts where {_TURN}
"""  # noqa: S608
# Where clocks are put back to midnight, the day's first hour comes twice, and PostgreSQL takes its beginning for the
# second's.
_OF_DAY = f"""
select e.* from public.chatwoot_widget_events e, ({ZONE.format(store="$1")}) z
where e.organization_id = $1 and e.created_at >= $2::date::timestamp at time zone z.zone - interval '2 hours'
  and e.created_at < ($2::date + 1)::timestamp at time zone z.zone and (e.created_at at time zone z.zone)::date = $2
"""  # noqa: S608
# Writers wait meanwhile: whoever has inserted events of the day has also counted them, or will do so afterwards.
_ALONE = "lock table public.chatwoot_widget_daily in share row exclusive mode"
_FORGET_DAY = """
with gone as (delete from public.chatwoot_widget_daily where organization_id = $1 and day = $2 returning load_ms, ordered_unnamed)
select load_ms, sum(ordered_unnamed)::bigint as ordered from gone where ordered_unnamed > 0 group by 1
"""
# Their events tell no page and no browser any more.
_KEEP_UNNAMED = """
update public.chatwoot_widget_daily d set ordered_unnamed = n.ordered from unnest($3::int[], $4::bigint[]) as n (load_ms, ordered)
where d.organization_id = $1 and d.day = $2 and d.event_type = 'conversation_started' and d.page_group = 'none'
  and d.device_class = 'unknown' and d.load_ms = n.load_ms
"""
_REBUILD_DAY = f"with of_day as ({_OF_DAY}) {COUNT_INTO_DAYS.format(events='of_day')}"
_IS_COUNTED = f"""
select coalesce((select sum(events) from public.chatwoot_widget_daily where organization_id = $1 and day = $2), 0)
  >= (select count(*) from ({_OF_DAY}) e)
"""  # noqa: S608
# Conversations with an order of the same customer within a week, where the shop vouched for who it was. As everywhere an
# order counts once it was placed or paid: a shop may tell of payments alone.
IS_FOLLOWED = """
e.event_type = 'conversation_started' and e.customer_id is not null and exists (
  select from wootstream.orders o where o.organization_id = e.organization_id and o.customer_id = e.customer_id
    and coalesce(o.placed_at, o.paid_at) >= e.created_at
    and coalesce(o.placed_at, o.paid_at) < e.created_at + interval '7 days' and o.cancelled_at is null)
"""
_COUNT_ORDERS = f"""
with followed as (
  select wootstream.page_group(e.page_url) as page_group, wootstream.device_class(e.user_agent) as device_class,
    wootstream.load_step(e.load_time_ms) as load_ms, count(*) as ordered
  from ({_OF_DAY}) e
  where {IS_FOLLOWED}
  group by 1, 2, 3
), due as (
  select d.page_group, d.device_class, d.load_ms, coalesce(f.ordered, 0) + d.ordered_unnamed as ordered
  from public.chatwoot_widget_daily d left join followed f using (page_group, device_class, load_ms)
  where d.organization_id = $1 and d.day = $2 and d.event_type = 'conversation_started'
    and d.ordered <> coalesce(f.ordered, 0) + d.ordered_unnamed
  order by d.page_group, d.device_class, d.load_ms for update of d
)
update public.chatwoot_widget_daily d set ordered = due.ordered from due
where d.organization_id = $1 and d.day = $2 and d.event_type = 'conversation_started'
  and d.page_group = due.page_group and d.device_class = due.device_class and d.load_ms = due.load_ms
"""  # noqa: S608
_DAYS_KEPT = f"""
select min(e.created_at at time zone z.zone)::date as first, max(e.created_at at time zone z.zone)::date as last
from ({ZONE.format(store="$1")}) z, lateral (
  (select created_at from public.chatwoot_widget_events where organization_id = $1 order by created_at limit 1)
  union all
  (select created_at from public.chatwoot_widget_events where organization_id = $1 order by created_at desc limit 1)
) e
"""  # noqa: S608
_ZONE_OF = ZONE.format(store="$1")
# In one scan, for a year of a store is a hundred thousand rows; a day becomes a text once it is summed up.
_FIGURES = """
select case $4 when 'days' then day::text when 'pages' then page_group end as id,
  load_ms, loaded, failures, opened, started, ordered, messages
from (
  select case $4 when 'days' then day end as day, case $4 when 'pages' then page_group end as page_group, load_ms,
    coalesce(sum(events) filter (where event_type = 'widget_loaded'), 0)::bigint as loaded,
    coalesce(sum(failures), 0)::bigint as failures,
    coalesce(sum(events) filter (where event_type = 'widget_opened'), 0)::bigint as opened,
    coalesce(sum(events) filter (where event_type = 'conversation_started'), 0)::bigint as started,
    coalesce(sum(ordered), 0)::bigint as ordered,
    coalesce(sum(events) filter (where event_type = 'message_sent'), 0)::bigint as messages
  from public.chatwoot_widget_daily where organization_id = $1 and day between $2 and $3 group by 1, 2, 3
) of_steps
order by 1, 2
"""


async def rebuild_day(conn: Connection, organization: UUID, day: date) -> None:
    """Count a day of the store's calendar anew from its events; its orders, too."""
    await conn.execute(_ALONE)
    unnamed = await conn.fetch(_FORGET_DAY, organization, day)
    await conn.execute(_REBUILD_DAY, organization, day)
    columns = [[row[name] for row in unnamed] for name in ("load_ms", "ordered")]
    await conn.execute(_KEEP_UNNAMED, organization, day, *columns)
    await conn.execute(_COUNT_ORDERS, organization, day)


async def is_counted(conn: Connection, organization: UUID, day: date) -> bool:
    """Whether the day's counts reach its events. They may exceed them: of a person who was forgotten the counts stay."""
    return bool(await conn.fetchval(_IS_COUNTED, organization, day))


async def count_orders(conn: Connection, organization: UUID, day: date) -> None:
    """Count again which of the day's conversations were followed by an order."""
    await conn.execute(_COUNT_ORDERS, organization, day)


async def days_kept(conn: Connection, organization: UUID) -> tuple[date, date] | None:
    """First and last day, of the store's calendar, of which there are events."""
    row = await conn.fetchrow(_DAYS_KEPT, organization)
    return (row["first"], row["last"]) if row and row["first"] else None


async def zone(conn: Connection, organization: UUID) -> str:
    """The IANA zone of the store's calendar; UTC for one without an account."""
    return str(await conn.fetchval(_ZONE_OF, organization))


async def figures(conn: Connection, organization: UUID, first: date, last: date, by: Grouping) -> Sequence[Row]:
    """Sums of these days by day or kind of page, or in all, and in each by step of load time, in order: id, load_ms (a
    step's upper end, 0 where nothing was timed), loaded, failures, opened, started, ordered, messages."""
    return await conn.fetch(_FIGURES, organization, first, last, by)
