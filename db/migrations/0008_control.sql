-- What the operator's verbs need: who looked at personal data, whose dead letters there are, and the audit in SQL.

create table wootstream.access_log (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  action text not null,
  organization_id uuid, -- null: the record's store cannot be read
  object text not null
);
comment on table wootstream.access_log is 'Who was shown personal data, when, and of which record; never the data itself.';
create index access_log_store on wootstream.access_log (organization_id, at);
call wootstream.protect('wootstream.access_log');
create policy unreadable on wootstream.access_log to wootstream_service using (organization_id is null) with check (organization_id is null);
grant select, insert on wootstream.access_log to wootstream_service;
grant select, delete on wootstream.access_log to wootstream_privacy;

-- A letter may name a store that does not exist: known stores are not enough to see them all.
create policy owner on wootstream.dead_letters for select to wootstream_owner using (true);
create function wootstream.dead_letter_stores() returns setof uuid
  language sql stable security definer set search_path = pg_catalog, pg_temp
  as $$ select distinct organization_id from wootstream.dead_letters where organization_id is not null $$;
grant execute on function wootstream.dead_letter_stores() to wootstream_service;

create view wootstream.audit with (security_barrier) as
select l.consumer_group, l.topic, l.partition, l.consumed, l.applied, l.duplicate, l.ignored, l.dead, l.lost, l.hollow, l.redelivered,
  l.next_offset, a.end_offset as acknowledged_end, greatest(0, coalesce(a.end_offset, 0) - l.next_offset) as not_read,
  coalesce(m.missing, 0) as missing
from wootstream.ledger l
left join lateral (
  select max(highest_offset) + 1 as end_offset from wootstream.acknowledged
  where topic = l.topic and partition = l.partition and coalesce(cluster_id, l.cluster_id) = l.cluster_id
    and updated_at > coalesce((
      select max(h.closed_at) from wootstream.ledger_history h
      where h.consumer_group = l.consumer_group and h.topic = l.topic and h.partition = l.partition), '-infinity')
) a on true
left join lateral (
  select sum(x.next_offset - x.first_offset)::bigint as missing from wootstream.losses x
  where x.consumer_group = l.consumer_group and x.topic = l.topic and x.partition = l.partition
) m on true;
comment on view wootstream.audit is
  'What PostgreSQL alone can show: of everything acknowledged at the doors, how much each group has not read (in flight, or '
  'truncated: only the log tells which) and how much it never will (missing). `wootstream audit` asks the logs, too.';
grant select on wootstream.audit to wootstream_service;
