"""Reports, read from facts and reporting events. A span begins at `since` and ends before `until`."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from db.pool import Connection, Row

# The same span told by agent, inbox, team, day or for the whole account. An agent has the conversations that are
# assigned to them now, the events that Chatwoot books to them, the messages they wrote, and the ratings of conversations
# that were theirs when the customer answered.
_GROUPS = """
with span as (select $1::uuid as organization_id, $2::timestamptz as since, $3::timestamptz as until, $4::text as by,
  $5::text as zone),
conversations as (
  select case span.by when 'agents' then c.assignee_id::text when 'inboxes' then c.inbox_id::text
    when 'teams' then c.team_id::text when 'days' then (c.started_at at time zone zone)::date::text end as id, c.*
  from span join wootstream.conversations c on c.organization_id = span.organization_id
    and c.started_at >= since and c.started_at < until
), events as (
  select case span.by when 'agents' then e.user_id::text when 'inboxes' then e.inbox_id::text
    when 'teams' then c.team_id::text when 'days' then (e.event_end at time zone zone)::date::text end as id,
    e.name, e.value, e.chatwoot_conversation_id, c.status, c.reopenings
  from span join wootstream.chatwoot_reporting_events e on e.organization_id = span.organization_id
    and e.event_end >= since and e.event_end < until
  join wootstream.conversations c on c.organization_id = e.organization_id
    and c.conversation_id = e.chatwoot_conversation_id
), messages as (
  select case span.by when 'agents' then m.sender_id::text when 'inboxes' then c.inbox_id::text
    when 'teams' then c.team_id::text when 'days' then (m.created_at at time zone zone)::date::text end as id,
    m.kind, m.message_type, case m.kind when 'survey' then exists (
      select from wootstream.ratings r where r.organization_id = m.organization_id
        and r.conversation_id = m.conversation_id and r.message_id = m.message_id) end as is_answered
  from span join wootstream.messages m on m.organization_id = span.organization_id
    and m.created_at >= since and m.created_at < until
  join wootstream.conversations c on c.organization_id = m.organization_id and c.conversation_id = m.conversation_id
  where span.by <> 'agents' or m.kind = 'human'
), answers as (
  select case span.by when 'agents' then nullif(coalesce(
      (select h.current from wootstream.changes h where h.organization_id = r.organization_id
        and h.conversation_id = r.conversation_id and h.attribute = 'assignee_id' and h.changed_at <= r.answered_at
        order by h.changed_at desc limit 1),
      (select h.previous from wootstream.changes h where h.organization_id = r.organization_id
        and h.conversation_id = r.conversation_id and h.attribute = 'assignee_id' and h.changed_at > r.answered_at
        order by h.changed_at limit 1), c.assignee_id::text), 'null')
    when 'inboxes' then c.inbox_id::text
    when 'teams' then c.team_id::text when 'days' then (r.answered_at at time zone zone)::date::text end as id, r.rating
  from span join wootstream.ratings r on r.organization_id = span.organization_id
    and r.answered_at >= since and r.answered_at < until
  join wootstream.conversations c on c.organization_id = r.organization_id and c.conversation_id = r.conversation_id
), left_days as ( -- of conversations whose time is over: whole days, of no agent and no team
  select case span.by when 'inboxes' then d.inbox_id::text when 'days' then d.day::text end as id, d.*
  from span join public.chatwoot_conversation_daily d on d.organization_id = span.organization_id
    and d.day::timestamp at time zone zone >= since and d.day::timestamp at time zone zone < until
  where span.by in ('account', 'inboxes', 'days')
), old as (
  select id, sum(conversations) as conversations, sum(incoming_messages) as incoming, sum(outgoing_messages) as outgoing,
    sum(surveys) as surveys, sum(first_responses) as first_responses, sum(first_response_seconds) as first_response_seconds,
    sum(resolutions) as resolutions, sum(resolution_seconds) as resolution_seconds, sum(replies) as replies,
    sum(reply_seconds) as reply_seconds, sum(rated_1 + rated_2 + rated_3 + rated_4 + rated_5) as answers,
    array[sum(rated_1), sum(rated_2), sum(rated_3), sum(rated_4), sum(rated_5)] as ratings
  from left_days group by id
), begun as (
  select id, count(*) as conversations from conversations group by id
), timed as (
  select id,
    count(*) filter (where name = 'first_response') as first_responses,
    sum(value) filter (where name = 'first_response') as first_response_seconds,
    sum(value) filter (where name = 'conversation_resolved') as resolution_seconds,
    count(*) filter (where name = 'reply_time') as replies,
    sum(value) filter (where name = 'reply_time') as reply_seconds,
    count(*) filter (where name = 'conversation_resolved') as resolution_events,
    count(distinct chatwoot_conversation_id) filter (where name = 'conversation_resolved' and status = 'resolved')
      as still_resolved,
    count(distinct chatwoot_conversation_id) filter (where name = 'conversation_resolved') as resolved_conversations,
    count(distinct chatwoot_conversation_id) filter (where name = 'conversation_resolved' and reopenings > 0)
      as reopened_conversations,
    percentile_cont(array[0.5, 0.9, 0.99]) within group (order by value)
      filter (where name = 'first_response') as first_response_percentiles,
    percentile_cont(array[0.5, 0.9, 0.99]) within group (order by value)
      filter (where name = 'conversation_resolved') as resolution_percentiles,
    percentile_cont(array[0.5, 0.9, 0.99]) within group (order by value)
      filter (where name = 'reply_time') as reply_percentiles
  from events group by id
), written as (
  select id, count(*) filter (where message_type = 'incoming') as incoming_messages_count,
    count(*) filter (where message_type = 'outgoing') as outgoing_messages_count,
    count(*) filter (where kind = 'survey') as surveys_sent, count(*) filter (where is_answered) as surveys_answered
  from messages group by id
), rated as (
  select id, count(*) as answers, array[count(*) filter (where rating = 1), count(*) filter (where rating = 2),
    count(*) filter (where rating = 3), count(*) filter (where rating = 4), count(*) filter (where rating = 5)] as ratings
  from answers group by id
)
select ids.id as group_id,
  nullif(coalesce(begun.conversations, 0) + coalesce(old.conversations, 0), 0)::bigint as conversations_count,
  ((coalesce(timed.first_response_seconds, 0) + coalesce(old.first_response_seconds, 0))
    / nullif(coalesce(timed.first_responses, 0) + coalesce(old.first_responses, 0), 0))::float8 as avg_first_response_time,
  ((coalesce(timed.resolution_seconds, 0) + coalesce(old.resolution_seconds, 0))
    / nullif(coalesce(timed.resolution_events, 0) + coalesce(old.resolutions, 0), 0))::float8 as avg_resolution_time,
  ((coalesce(timed.reply_seconds, 0) + coalesce(old.reply_seconds, 0))
    / nullif(coalesce(timed.replies, 0) + coalesce(old.replies, 0), 0))::float8 as reply_time,
  (coalesce(timed.resolution_events, 0) + coalesce(old.resolutions, 0))::bigint as resolution_events,
  timed.still_resolved, timed.resolved_conversations, timed.reopened_conversations,
  timed.first_response_percentiles, timed.resolution_percentiles, timed.reply_percentiles,
  (coalesce(written.incoming_messages_count, 0) + coalesce(old.incoming, 0))::bigint as incoming_messages_count,
  (coalesce(written.outgoing_messages_count, 0) + coalesce(old.outgoing, 0))::bigint as outgoing_messages_count,
  (coalesce(written.surveys_sent, 0) + coalesce(old.surveys, 0))::bigint as surveys_sent,
  -- of old days only the answers that came on them are known
  (coalesce(written.surveys_answered, 0) + coalesce(least(old.answers, old.surveys), 0))::bigint as surveys_answered,
  (coalesce(rated.answers, 0) + coalesce(old.answers, 0))::bigint as answers,
  array(select (coalesce(rated.ratings[n], 0) + coalesce(old.ratings[n], 0))::bigint from generate_series(1, 5) n order by n) as ratings
from (select id from begun union select id from timed union select id from written union select id from rated union select id from old) ids
left join begun on begun.id is not distinct from ids.id
left join timed on timed.id is not distinct from ids.id
left join written on written.id is not distinct from ids.id
left join rated on rated.id is not distinct from ids.id
left join old on old.id is not distinct from ids.id
order by length(ids.id), ids.id -- numbers in their order, and days in theirs
"""
# The release that the API named last, else the operator's; a store attached anew has a deleted account beside its own.
_STORE = """
select organization_id, slug, timezone, coalesce((
    select r.release from wootstream.releases r where r.organization_id = $1 order by since desc limit 1), release) as release,
  chatwoot_base_url, chatwoot_account_id from public.chatwoot_accounts
where organization_id = $1 order by account_status = 'deleted', created_at desc limit 1
"""
# Snoozed is not waiting: Chatwoot opens it again when the customer writes.
_WAITING = """
select h.conversation_id, h.waiting_since, h.status, c.assignee_name, c.inbox_name, count(*) over () as everybody
from wootstream.conversations h join public.chatwoot_conversations c on c.organization_id = h.organization_id
  and c.chatwoot_conversation_id = h.conversation_id
where h.organization_id = $1 and h.waiting_since is not null and h.status in ('open', 'pending')
order by h.waiting_since, h.conversation_id limit $2
"""
# Webhooks name who was assigned, the API names everybody.
_AGENTS = """
select coalesce(d.id, a.id)::text as id, coalesce(d.name, a.name) as name from (
  select assignee_id as id, max(assignee_name) as name from public.chatwoot_conversations
  where organization_id = $1 and assignee_type = 'User' group by 1
) a full join (select id, name from wootstream.directory where organization_id = $1 and kind = 'agent') d on d.id = a.id
"""
_TEAMS = "select id::text, name from wootstream.directory where organization_id = $1 and kind = 'team'"
_INBOXES = "select inbox_id::text as id, name from wootstream.inboxes where organization_id = $1"


async def groups(
    conn: Connection, organization: UUID, *, since: datetime, until: datetime, by: str, zone: str
) -> Sequence[Row]:
    """Figures of a span by `by`: account, agents, inboxes, teams or days (of an IANA zone)."""
    return await conn.fetch(_GROUPS, organization, since, until, by, zone)


async def store(conn: Connection, organization: UUID) -> Row | None:
    """The store's id, name, release, zone, and where its Chatwoot is."""
    return await conn.fetchrow(_STORE, organization)


async def waiting(conn: Connection, organization: UUID, *, limit: int) -> Sequence[Row]:
    """Who waits now, longest first, and in each row how many do."""
    return await conn.fetch(_WAITING, organization, limit)


async def names(conn: Connection, organization: UUID, *, by: str) -> dict[str, str | None]:
    """What agents, inboxes or teams are called, as far as anybody told."""
    statement = {"agents": _AGENTS, "inboxes": _INBOXES, "teams": _TEAMS}.get(by)
    return {row["id"]: row["name"] for row in await conn.fetch(statement, organization)} if statement else {}
